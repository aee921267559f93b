"""The built-in service and its settings, with the fields of all of its features."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI

from inference_core.app.application import create_application
from inference_core.core import settings as core
from inference_core.core.paths import API_PREFIX
from inference_core.core.service_settings import settings_class
from inference_core.service import service

__all__ = ["Settings", "application", "load_settings", "misspelt_settings", "service"]

Settings = settings_class(service)


def load_settings(env_file: Path | None = core.ENV_FILE) -> core.Settings:
    return core.load_settings(Settings, env_file)


def misspelt_settings(env_file: Path = core.ENV_FILE) -> list[str]:
    return core.misspelt_settings(Settings, env_file)


def application(settings: core.Settings | None = None, *routers: APIRouter) -> FastAPI:
    """The built-in service with routes that only a test needs."""
    app = create_application(settings=settings)
    for router in routers:
        app.include_router(router, prefix=API_PREFIX)
    return app
