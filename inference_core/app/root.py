"""`GET /`: the name and the version of the service, and where to find its documentation and its health."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from pydantic import BaseModel, Field

from inference_core import __version__
from inference_core.core.settings import Environment
from inference_core.core.state import SettingsDep


class RootInfo(BaseModel):
    """Name, version and environment of the service."""

    message: str = Field(examples=["Welcome to Inference Core API"])
    app_name: str = Field(description="`APP_NAME`.", examples=["inference-core"])
    app_title: str = Field(description="`APP_TITLE`.", examples=["Inference Core API"])
    app_description: str = Field(description="`APP_DESCRIPTION`.")
    version: str = Field(description="The version of the service.", examples=["0.1.0"])
    environment: Environment = Field(description="`ENVIRONMENT`.")
    debug: bool = Field(description="`DEBUG`.")
    docs: str = Field(description="The path of the API documentation, or `disabled` in production.", examples=["/docs"])
    links: dict[str, str] = Field(
        description="Paths of pages and of the health report, by name.",
        examples=[{"docs": "/docs", "playground": "/playground", "health": "/api/v1/health/"}],
    )


def root_router(links: Mapping[str, str]) -> APIRouter:
    """Return the router of the root."""
    router = APIRouter(tags=["root"])

    @router.get("/")
    async def root(settings: SettingsDep) -> RootInfo:
        """Return the name, the version and the environment of the service, and links."""
        return RootInfo(
            message=f"Welcome to {settings.app_title}",
            app_name=settings.app_name,
            app_title=settings.app_title,
            app_description=settings.app_description,
            version=__version__,
            environment=settings.environment,
            debug=settings.debug,
            docs="disabled" if settings.is_production else "/docs",
            links=dict(links),
        )

    return router
