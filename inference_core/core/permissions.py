"""The dependencies of routes that can refuse a request: find them in an application, check and document them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from inference_core.core.feature import FeatureError, Service


class RefusingDependency(ABC):
    """Base class of the dependencies that can refuse a request, so that an application can find them."""

    @property
    @abstractmethod
    def responses(self) -> Mapping[int | str, dict[str, Any]]:
        """The responses that it adds to the OpenAPI document of a route."""


class AccessDependency(RefusingDependency):
    """Base class of the dependencies that decide who can call a route.

    Attributes:
        permission: The permission that the route requires. Empty if it requires none.
    """

    permission: str = ""

    @property
    @abstractmethod
    def security_schemes(self) -> Mapping[str, dict[str, Any]]:
        """The OpenAPI security schemes of which a caller uses one, by name."""


@dataclass(frozen=True, slots=True)
class ProtectedRoute:
    """A route and one of its dependencies that can refuse a request. `path` is the complete path template."""

    methods: tuple[str, ...]
    path: str
    dependency: RefusingDependency


def protected_routes(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[ProtectedRoute]:
    """Yield the routes with such dependencies, including those of included routers and mounted applications.

    It reads the resolved dependencies, so it finds those of routers and of other dependencies too.
    """
    for context in iter_route_contexts(list(routes)):
        path = f"{prefix}{context.path_format or ''}"
        methods = tuple(sorted(context.methods or ()))
        dependant = getattr(context, "dependant", None)
        if dependant is not None:
            yield from (ProtectedRoute(methods, path, found) for found in _dependencies(dependant))
        if mounted := getattr(context, "routes", None):
            yield from protected_routes(mounted, f"{prefix}{context.path or ''}")


def _dependencies(dependant: Dependant) -> Iterator[RefusingDependency]:
    if isinstance(dependant.call, RefusingDependency):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _dependencies(inner)


def check_permissions(service: Service, routes: Iterable[BaseRoute]) -> None:
    """Check that the routes require only declared permissions.

    Raises:
        FeatureError: No feature declares a required permission.
    """
    for route in protected_routes(routes):
        permission = route.dependency.permission if isinstance(route.dependency, AccessDependency) else ""
        if permission:
            require_declared(service, permission, f"route {' '.join((*route.methods, route.path))}")


def require_declared(service: Service, permission: str, where: str) -> None:
    """Check that a feature declares a permission. `where` starts the text of the error.

    Raises:
        FeatureError: No feature declares it.
    """
    if permission not in service.permission_names:
        raise FeatureError(
            f"{where} requires the permission {permission!r}, which no feature declares; add it to `permissions` of a "
            "feature"
        )
