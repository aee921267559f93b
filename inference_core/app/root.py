"""`GET /`: the name and the version of the service."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from inference_core import __version__
from inference_core.core.settings import Environment
from inference_core.core.state import SettingsDep

router = APIRouter(tags=["root"])


class RootInfo(BaseModel):
    """Name, version and environment of the service; `docs` is a path, or `disabled`."""

    message: str
    app_name: str
    app_title: str
    app_description: str
    version: str
    environment: Environment
    debug: bool
    docs: str


@router.get("/")
async def root(settings: SettingsDep) -> RootInfo:
    """Return the name, the version and the environment of the service."""
    return RootInfo(
        message=f"Welcome to {settings.app_title}",
        app_name=settings.app_name,
        app_title=settings.app_title,
        app_description=settings.app_description,
        version=__version__,
        environment=settings.environment,
        debug=settings.debug,
        docs="disabled" if settings.is_production else "/docs",
    )
