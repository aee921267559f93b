"""The one place that mounts the features' routers."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from inference_core import root
from inference_core.auth.admin_router import router as administration
from inference_core.auth.router import router as accounts
from inference_core.auth.session_router import router as sessions
from inference_core.health.router import router as health
from inference_core.tasks.router import router as tasks
from inference_core.telemetry.router import router as metrics

API_PREFIX = "/api/v1"


def mount(app: FastAPI, extra: tuple[APIRouter, ...] = ()) -> None:
    """Mount every feature under `/api/v1`, `extra` routers of a derived service included."""
    app.include_router(root.router)
    app.include_router(metrics)
    for router in (health, accounts, sessions, administration, tasks, *extra):
        app.include_router(router, prefix=API_PREFIX)
