"""The state of one API process: the resources of every service, and the states of its features by their types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request

from inference_core.core.db.engine import Database
from inference_core.core.feature import FeatureError, Service
from inference_core.core.loggers import get_logger
from inference_core.core.queue.sender import TaskSender
from inference_core.core.redis.client import RedisClient
from inference_core.core.settings import Settings
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.traffic import Traffic

log = get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AppState:
    """The resources of one process. The lifespan opens them, then the features in their order, and closes all of them.

    Attributes:
        gauges: Functions that update gauges. They are called every second, and before the metrics are returned.
            Features append theirs.
        when_ready: Coroutine functions that are awaited after the last feature has been opened.
    """

    service: Service
    settings: Settings
    database: Database
    redis: RedisClient
    sender: TaskSender
    metrics: Metrics
    traffic: Traffic
    gauges: list[Callable[[], None]] = field(default_factory=list)
    when_ready: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _parts: dict[type, object] = field(default_factory=dict)

    def set_gauges(self) -> None:
        """Call the functions that update gauges. The failure of one is logged."""
        for set_gauge in self.gauges:
            try:
                set_gauge()
            except Exception:
                # The other metrics must not be missing.
                log.exception("gauge_failed")

    def of(self, kind: type[T]) -> T:
        """Return the state of a feature: what its lifespan has yielded.

        Raises:
            LookupError: No started feature has a state of this type.
        """
        try:
            return cast("T", self._parts[kind])
        except KeyError:
            raise LookupError(f"no feature of {self.service.name} has a state of the type {kind.__name__}") from None

    def add(self, part: object) -> None:
        """Add the state of a feature.

        Raises:
            FeatureError: Another feature has a state of this type.
        """
        if type(part) in self._parts:
            raise FeatureError(f"two features of {self.service.name} have a state of the type {type(part).__name__}")
        self._parts[type(part)] = part


def state_of(request: Request) -> AppState:
    """Return the state of the process. For frequently polled routes, where a dependency would be too slow."""
    # Fast path: `request.state.app` would create an object first.
    return cast("AppState", request.scope["state"]["app"])


# Fast path: coroutines, because FastAPI runs plain functions in a thread at ten times the cost.


async def get_state(request: Request) -> AppState:
    """Return the state of the process."""
    return state_of(request)


async def get_settings(request: Request) -> Settings:
    """Return the settings of the process."""
    return state_of(request).settings


StateDep = Annotated[AppState, Depends(get_state)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
