"""What one running process of the service holds: made by the lifespan, handed to requests, gone at shutdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from inference_core.auth.state import AuthState
from inference_core.celery.sender import TaskSender
from inference_core.db.engine import Database
from inference_core.health.watch import HealthWatch
from inference_core.llm.state import LLMState
from inference_core.redis.client import RedisClient
from inference_core.settings import Settings
from inference_core.tasks.monitor import WorkerMonitor
from inference_core.tasks.service import TaskService
from inference_core.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class AppState:
    """The resources of one process; each is closed by the lifespan in reverse order."""

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
    """The state of the process that answers `request`; for routes asked so often that a dependency would show."""
    # As `request.state.app`, which would make an object first.
    return cast("AppState", request.scope["state"]["app"])


# Coroutines, though they wait for nothing: FastAPI would run plain functions in a thread, at ten times the cost.


async def get_state(request: Request) -> AppState:
    """The state of the process that answers `request`."""
    return state_of(request)


async def get_settings(request: Request) -> Settings:
    """The settings of the process that answers `request`."""
    return state_of(request).settings


StateDep = Annotated[AppState, Depends(get_state)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
