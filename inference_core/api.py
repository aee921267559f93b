"""The one place that mounts the features' routers."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from inference_core import root
from inference_core.auth.admin_router import router as administration
from inference_core.auth.router import router as accounts
from inference_core.auth.session_router import router as sessions
from inference_core.health.router import router as health
from inference_core.llm.history_router import router as conversations
from inference_core.llm.playground_router import router as playground
from inference_core.llm.router import router as llm
from inference_core.llm.stream_router import router as llm_streams
from inference_core.llm.usage_router import usage as llm_usage
from inference_core.paths import API_PREFIX
from inference_core.settings import Settings
from inference_core.tasks.router import monitoring_router
from inference_core.tasks.router import submitted as submitted_tasks
from inference_core.telemetry.router import metrics_router


def mount(app: FastAPI, settings: Settings, extra: tuple[APIRouter, ...] = ()) -> None:
    """Mount every feature under `/api/v1`, `extra` routers of a derived service included.

    Routes are matched in this order, so what is asked most often comes first.
    """
    # An included router costs each of its requests some ten microseconds of matching; these are asked all the time.
    monitoring = monitoring_router(settings.effective_monitoring_access)
    app.router.routes[:0] = [*monitoring.routes, *health.routes, *accounts.routes, *llm_streams.routes, *llm.routes]
    for router in (conversations, llm_usage):
        app.include_router(router)
    for router in (sessions, administration, submitted_tasks, *extra):
        app.include_router(router, prefix=API_PREFIX)
    app.include_router(root.router)
    if settings.environment == "development":
        app.include_router(playground)
    app.include_router(metrics_router(settings))
