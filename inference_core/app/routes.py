"""Mount the routes of all features, and of the application itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from re import sub

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from inference_core.app.documentation.router import documentation_router
from inference_core.app.metrics_router import metrics_router
from inference_core.app.root import root_router
from inference_core.core.feature import Feature, FeatureError, Service, Tag
from inference_core.core.permissions import check_permissions
from inference_core.core.settings import Settings

# The groups of the routes of every service.
OWN_TAGS = (Tag("root", "The name of the service, and links."), Tag("metrics", "Metrics for Prometheus."))
# Names of functions of features.
LINKED = ("playground", "health")


def mount(app: FastAPI, service: Service, settings: Settings) -> None:
    """Mount the routes in the order of the features: first the hot ones of all features, then the others.

    Raises:
        FeatureError: A field contains no router, two features have the same route, the dependencies of a router do not
            apply to one of its routes, or no feature declares a permission that a route requires.
    """
    hot, others = _each("hot_routers", service, settings), _each("routers", service, settings)
    _require_separate_routes([*hot, *others])
    for field, routers in (("hot_routers", hot), ("routers", others)):
        for feature, router in routers:
            _require_effective_dependencies(f"feature {feature.name}: {field}", router, bool(router.dependencies))
            # Here instead of on `app.routes`, because FastAPI resolves each included route once more.
            check_permissions(service, router.routes)
    # Fast path: benchmarks/health_ratio.py. Routes are matched in order, and an included router adds about 10 us to
    # each of its requests.
    app.router.routes[:0] = [route for _, router in hot for route in router.routes]
    for _, router in others:
        app.include_router(router)
    app.include_router(root_router(_links(settings, _paths([*hot, *others]))))
    if not settings.is_production:
        app.include_router(documentation_router(settings.app_title))
    app.include_router(metrics_router(settings))


def routes_of(service: Service, settings: Settings) -> dict[str, str]:
    """Return the path of each route of the features by the name of its function, which is its operation id.

    Raises:
        FeatureError: A field contains no router.
    """
    return _paths([*_each("hot_routers", service, settings), *_each("routers", service, settings)])


def tags_of(service: Service) -> list[dict[str, str]]:
    """Return the groups of the API documentation. Features are listed in the reverse order of their routes.

    Therefore, the own features of a service come first, and routes for probes last.
    """
    tags = [tag for feature in reversed(service.features) for tag in feature.tags]
    return [{"name": tag.name, "description": tag.description} for tag in (*tags, *OWN_TAGS)]


def _paths(routers: list[tuple[Feature, APIRouter]]) -> dict[str, str]:
    contexts = [context for _, router in routers for context in iter_route_contexts(router.routes)]
    return {str(context.name): str(context.path) for context in contexts}


def _links(settings: Settings, paths: Mapping[str, str]) -> dict[str, str]:
    """Return the paths to which the root links."""
    pages = {} if settings.is_production else {"docs": "/docs", "openapi": "/openapi.json"}
    return pages | {name: paths[name] for name in LINKED if name in paths}


def _each(field: str, service: Service, settings: Settings) -> list[tuple[Feature, APIRouter]]:
    routers = []
    for feature, found in service.load_each(field):
        for router in [found] if isinstance(found, APIRouter) else found(service, settings):
            if not isinstance(router, APIRouter):
                raise FeatureError(f"feature {feature.name}: {field}: {router!r} is not a router")
            routers.append((feature, router))
    return routers


def _require_separate_routes(routers: list[tuple[Feature, APIRouter]]) -> None:
    """Check that no route is hidden by one with the same method and path, whatever its parameters are called."""
    owners: dict[tuple[str, str], Feature] = {}
    for feature, router in routers:
        for method, path in _routes_of(router):
            owner = owners.setdefault((method, sub(r"{[^}]*}", "{}", path)), feature)
            if owner is not feature:
                raise FeatureError(f"feature {feature.name}: the feature {owner.name} already has {method} {path}")


def _require_effective_dependencies(where: str, router: APIRouter, has_dependencies: bool) -> None:
    """Check that the dependencies of a router apply to all of its routes, because they can be `requires(...)`."""
    for route in router.routes:
        included, context = getattr(route, "original_router", None), getattr(route, "include_context", None)
        if included is not None and context is not None:
            some = has_dependencies or bool(context.dependencies) or bool(included.dependencies)
            _require_effective_dependencies(where, included, some)
        elif has_dependencies and not isinstance(route, APIRoute | APIWebSocketRoute):
            kind, path = type(route).__name__, getattr(route, "path", "")
            raise FeatureError(
                f"{where}: {kind} {path}: FastAPI ignores the dependencies of a router for mounted applications and "
                "routes of Starlette; move it to a router without dependencies"
            )


def _routes_of(router: APIRouter) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(router.routes):
        for method in getattr(route, "methods", None) or ():
            yield method, str(getattr(route, "path", ""))
