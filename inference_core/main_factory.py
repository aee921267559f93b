"""Builds the FastAPI application from settings; the only door for servers and tests alike."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from inference_core import __version__, api
from inference_core.errors import install_error_handlers
from inference_core.lifespan import lifespan_for
from inference_core.logging import configure_logging
from inference_core.middleware import AllowedHostMiddleware, RequestIdMiddleware
from inference_core.settings import Settings, load_settings


def create_application(settings: Settings | None = None, routers: tuple[APIRouter, ...] = ()) -> FastAPI:
    """Make the application.

    Args:
        settings: as given, or read from the environment and `.env`.
        routers: of a derived service, mounted under `/api/v1` after the built-in ones.

    Raises:
        SettingsError: if settings have to be read and are not usable.
    """
    settings = settings or load_settings()
    configure_logging(settings)
    public = not settings.is_production
    app = FastAPI(
        title=settings.app_title,
        description=settings.app_description,
        version=__version__,
        debug=False,  # Starlette's debug pages would answer with stack traces
        docs_url="/docs" if public else None,
        redoc_url="/redoc" if public else None,
        openapi_url="/openapi.json" if public else None,
        lifespan=lifespan_for(settings),
        max_body_size=settings.max_body_bytes,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    install_error_handlers(app)
    api.mount(app, routers)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials="*" not in settings.cors_origins,
        )
    if settings.allowed_hosts != ["*"]:
        app.add_middleware(AllowedHostMiddleware, allowed_hosts=settings.allowed_hosts)
    app.add_middleware(RequestIdMiddleware)
    return app
