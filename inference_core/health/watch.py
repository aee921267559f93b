"""Background probes of the service's parts. Health routes therefore never wait for a slow part."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from redis.exceptions import RedisError

from inference_core.core.background import run_until_cancelled
from inference_core.core.health import Component, Status
from inference_core.core.loggers import get_logger
from inference_core.core.redis.client import RedisClient
from inference_core.core.redis.eviction import EvictionWatch
from inference_core.core.state import AppState
from inference_core.core.traffic import Traffic
from inference_core.health.database_probe import DatabaseDownError, DatabaseProbe
from inference_core.health.telemetry import HealthMetrics

log = get_logger(__name__)

PROBE_EVERY_S = 0.4
PART_TIMEOUT_S = 2.0
# Policies change rarely.
EVICTION_EVERY_S = 10.0


def _now() -> datetime:
    return datetime.now(UTC)


def _failed() -> Component:
    return Component("unhealthy", _now(), "The check failed.")


def _unseen() -> Component:
    return Component("unhealthy", _now(), "Not checked yet.")


@dataclass(slots=True)
class HealthWatch:
    """The latest state of each part. Reading it never waits.

    Attributes:
        quick: The checks of features' parts that are called for each request.
        slow: Those that are called in the background; their results are in `probed`.
    """

    probe: DatabaseProbe
    redis_client: RedisClient
    traffic: Traffic
    eviction: EvictionWatch
    quick: Mapping[str, Callable[[], Component]] = field(default_factory=dict)
    slow: Mapping[str, Callable[[], Awaitable[Component]]] = field(default_factory=dict)
    probed: dict[str, Component] = field(default_factory=dict)
    database: Component = field(default_factory=_unseen)
    redis: Component = field(default_factory=_unseen)
    redis_round_trip_s: float = 0.0

    async def probe_database(self) -> None:
        """Probe the database once."""
        try:
            await self.probe.ask()
        except DatabaseDownError as error:
            self._note("database", "unhealthy", error.detail)
        else:
            self._note("database", "healthy")

    async def probe_redis(self) -> None:
        """Probe Redis once."""
        start_s = time.perf_counter()
        try:
            await self.redis_client.client.ping()
        except (RedisError, OSError) as error:
            if self.redis.status != "unhealthy":
                log.warning("redis_lost", error=type(error).__name__, reason=str(error))
            self._note("redis", "unhealthy", "Redis does not respond.")
        else:
            self.redis_round_trip_s = time.perf_counter() - start_s
            warning = self.eviction.warning
            self._note("redis", "degraded" if warning else "healthy", warning)

    async def probe_features(self) -> None:
        """Call the slow checks of the features once. One that takes too long counts as failed."""
        checks = (asyncio.wait_for(check(), PART_TIMEOUT_S) for check in self.slow.values())
        results = await asyncio.gather(*checks, return_exceptions=True)
        for name, result in zip(self.slow, results, strict=True):
            if isinstance(result, Exception):
                log.error("health_check_failed", part=name, exc_info=result)
                self.probed[name] = _failed()
            elif isinstance(result, Component):
                self.probed[name] = result

    def components(self) -> dict[str, Component]:
        """Return the latest state of every part by name."""
        return {
            "database": self.database,
            "application": self._application(_now()),
            "redis": self.redis,
            **{name: self._quick(name, check) for name, check in self.quick.items()},
            **self.probed,
        }

    def _quick(self, name: str, check: Callable[[], Component]) -> Component:
        try:
            return check()
        except Exception:
            # The report still has the other parts.
            log.exception("health_check_failed", part=name)
            return _failed()

    def _application(self, now: datetime) -> Component:
        return Component("degraded", now, "Shutting down.") if self.traffic.draining else Component("healthy", now)

    def not_ready_because(self) -> list[str]:
        """Return why this process is not ready. Empty if it is ready."""
        reasons = ["shutting down"] if self.traffic.draining else []
        return reasons if self.database.status == "healthy" else [*reasons, "database"]

    def set_gauges(self, metrics: HealthMetrics) -> None:
        """Update the metrics of the probes."""
        metrics.up.labels("database").set(self.database.status == "healthy")
        metrics.up.labels("redis").set(self.redis.status == "healthy")
        metrics.redis_round_trip.set(self.redis_round_trip_s)
        metrics.set_redis_memory(self.eviction.memory)

    def _note(self, part: str, status: Status, message: str | None = None) -> None:
        before: Component = getattr(self, part)
        if before.status != status:
            log.info("health_changed", part=part, before=before.status, now=status)
        setattr(self, part, Component(status, _now(), message))


@asynccontextmanager
async def open_watch(state: AppState) -> AsyncIterator[HealthWatch]:
    """Probe all parts once, then repeatedly until the context ends.

    The parts of features are probed for the first time after all features have been opened.
    """
    settings = state.settings
    quick, slow = _checks(state)
    async with (
        DatabaseProbe.open(settings.database_url) as probe,
        EvictionWatch.open(settings, state.redis.client) as eviction,
    ):
        unseen = dict.fromkeys(slow, _unseen())
        watch = HealthWatch(probe, state.redis, state.traffic, eviction, quick, slow, unseen)
        metrics = state.metrics.feature(HealthMetrics)
        state.gauges.append(lambda: watch.set_gauges(metrics))
        state.when_ready.append(watch.probe_features)
        await eviction.poll()
        await asyncio.gather(watch.probe_database(), watch.probe_redis())
        async with (
            run_until_cancelled(watch.probe_database, every_s=PROBE_EVERY_S, name="database_probe"),
            run_until_cancelled(watch.probe_redis, every_s=PROBE_EVERY_S, name="redis_probe"),
            run_until_cancelled(watch.probe_features, every_s=PROBE_EVERY_S, name="feature_probes"),
            run_until_cancelled(eviction.poll, every_s=EVICTION_EVERY_S, name="eviction_probe"),
        ):
            yield watch


def _checks(
    state: AppState,
) -> tuple[dict[str, Callable[[], Component]], dict[str, Callable[[], Awaitable[Component]]]]:
    quick: dict[str, Callable[[], Component]] = {}
    slow: dict[str, Callable[[], Awaitable[Component]]] = {}
    for feature in state.service.features:
        for part in feature.health:
            check = feature.load_check(part)
            if inspect.iscoroutinefunction(check):
                slow[part.name] = partial(check, state)
            else:
                quick[part.name] = partial(check, state)
    return quick, slow
