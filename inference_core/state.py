"""What one running process of the service holds: made by the lifespan, handed to requests, gone at shutdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from inference_core.auth.state import AuthState
from inference_core.celery.sender import TaskSender
from inference_core.db.engine import Database
from inference_core.health.watch import HealthWatch
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


# Coroutines, though they wait for nothing: FastAPI would run plain functions in a thread, at ten times the cost.


async def get_state(request: Request) -> AppState:
    """The state of the process that answers `request`."""
    return cast("AppState", request.state.app)


async def get_settings(request: Request) -> Settings:
    """The settings of the process that answers `request`."""
    return cast("AppState", request.state.app).settings


StateDep = Annotated[AppState, Depends(get_state)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
