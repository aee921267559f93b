"""Mount the routers of all features."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from inference_core.app import root
from inference_core.app.documentation.router import documentation_router
from inference_core.app.metrics_router import metrics_router
from inference_core.auth.admin_router import router as administration
from inference_core.auth.pages_router import pages_router
from inference_core.auth.router import router as accounts
from inference_core.auth.session_router import router as sessions
from inference_core.core.paths import API_PREFIX, HEALTH_PREFIX, TASKS_PREFIX
from inference_core.core.settings import Settings
from inference_core.health.router import router as health
from inference_core.llm.history_router import router as conversations
from inference_core.llm.playground_router import router as playground
from inference_core.llm.router import router as llm
from inference_core.llm.stream_router import router as llm_streams
from inference_core.llm.usage_router import usage as llm_usage
from inference_core.tasks.router import monitoring_router
from inference_core.tasks.router import submitted as submitted_tasks

POLLED = (f"{HEALTH_PREFIX}/ping", f"{TASKS_PREFIX}/health", f"{HEALTH_PREFIX}/", f"{HEALTH_PREFIX}/database")
"""Return the routes that monitors poll, ordered by frequency."""


def mount(app: FastAPI, settings: Settings, extra: tuple[APIRouter, ...] = ()) -> None:
    """Mount every feature under `/api/v1`, including `extra` routers of a derived service."""
    # Fast path: routes are matched in order, so frequently polled routes come first. An included router would add about
    # 10 us to each of their requests.
    monitoring = monitoring_router(settings.effective_monitoring_access)
    often = [*health.routes, *monitoring.routes, *accounts.routes, *llm_streams.routes, *llm.routes]
    app.router.routes[:0] = sorted(often, key=_rank)
    for router in (conversations, llm_usage):
        app.include_router(router)
    for router in (sessions, administration, submitted_tasks, *extra):
        app.include_router(router, prefix=API_PREFIX)
    app.include_router(root.router)
    app.include_router(pages_router(settings))
    if not settings.is_production:
        app.include_router(documentation_router(settings.app_title))
    if settings.environment == "development":
        app.include_router(playground)
    app.include_router(metrics_router(settings))


def _rank(route: BaseRoute) -> int:
    path = getattr(route, "path", "")
    return POLLED.index(path) if path in POLLED else len(POLLED)
