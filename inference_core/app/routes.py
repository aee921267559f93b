"""Mount the routes of all features, and of the application itself."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, FastAPI

from inference_core.app import root
from inference_core.app.documentation.router import documentation_router
from inference_core.app.metrics_router import metrics_router
from inference_core.core.feature import Service
from inference_core.core.settings import Settings


def mount(app: FastAPI, service: Service, settings: Settings) -> None:
    """Mount the routes in the order of the features: first the hot ones of all features, then the others."""
    # Fast path: benchmarks/health_ratio.py. Routes are matched in order, and an included router adds about 10 us to
    # each of its requests.
    app.router.routes[:0] = [route for router in _each("hot_routers", service, settings) for route in router.routes]
    for router in _each("routers", service, settings):
        app.include_router(router)
    app.include_router(root.router)
    if not settings.is_production:
        app.include_router(documentation_router(settings.app_title))
    app.include_router(metrics_router(settings))


def _each(field: str, service: Service, settings: Settings) -> Iterator[APIRouter]:
    for _, found in service.load_each(field):
        if isinstance(found, APIRouter):
            yield found
        else:
            yield from found(service, settings)
