"""The state of one process of the service. The lifespan creates and closes it, and requests use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from inference_core.auth.state import AuthState
from inference_core.core.db.engine import Database
from inference_core.core.queue.sender import TaskSender
from inference_core.core.redis.client import RedisClient
from inference_core.core.settings import Settings
from inference_core.core.telemetry.metrics import Metrics
from inference_core.health.watch import HealthWatch
from inference_core.llm.state import LLMState
from inference_core.tasks.monitor import WorkerMonitor
from inference_core.tasks.service import TaskService


@dataclass(frozen=True, slots=True)
class AppState:
    """The resources of one process. The lifespan closes them in reverse order."""

    settings: Settings
    database: Database
    redis: RedisClient
    auth: AuthState
    tasks: TaskSender
    task_service: TaskService
    workers: WorkerMonitor
    health: HealthWatch
    metrics: Metrics
    llm: LLMState


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
