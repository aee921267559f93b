"""The OpenAPI document: every error is a problem document, and each route lists the common errors."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from inference_core.core.feature import FeatureError
from inference_core.core.permissions import AccessDependency, protected_routes
from inference_core.core.problems import PROBLEM_JSON, FieldProblem, Problem

# What these names mean in every feature.
COMMON_NAMES = {
    "created_at": "The time of the creation (UTC).",
    "expires_at": "The time of the expiry (UTC); null if it does not expire.",
    "id": "The id.",
    "items": "The items of this page.",
    "limit": "Maximum number of items.",
    "message": "A sentence for people.",
    "offset": "The number of items to skip.",
    "password": "The password.",
    "success": "Whether the request succeeded.",
    "timestamp": "The time of the response (UTC).",
    "total": "The number of all items.",
    "updated_at": "The time of the last change (UTC).",
    "user_id": "The id of the account.",
    "username": "The user name or the email.",
    # The fields of an OAuth2 form.
    "client_id": "Not used.",
    "client_secret": "Not used.",
    "grant_type": "`password`, or nothing.",
    "scope": "Not used.",
}
NOT_IN_NAME = re.compile(r"\W")
SCHEMA_PLACE = "#/components/schemas/{model}"
COMMON = {"503": "Overloaded, draining, or a dependency does not respond. Retry after `Retry-After` seconds."}
WITH_BODY = {
    "400": "The request cannot be read.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The content type names an encoding other than UTF-8 for a form, or is too long.",
}
INVALID = {"422": "Fields are not valid; `errors` lists them."}


def install_openapi(app: FastAPI) -> None:
    """Replace `app.openapi()`. The document is created once, on first use."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    _, definitions = models_json_schema(
        [(Problem, "serialization"), (FieldProblem, "serialization")], ref_template=SCHEMA_PLACE
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions["$defs"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _describe_refusals(app, document)
    forms: dict[str, str] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            long_id = operation["operationId"]
            _shorten_id(operation, path, method)
            forms[f"Body_{long_id}"] = f"Body_{operation['operationId']}"
            _complete(operation)
            for parameter in operation.get("parameters", ()):
                _describe(parameter["name"], parameter)
    _require_unique_ids(document["paths"])
    _rename_forms(document, forms)
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            _describe(name, field)
    _write_constants_as_enums(document)
    return document


def _describe_refusals(app: FastAPI, document: dict[str, Any]) -> None:
    """Add the responses of dependencies that can refuse a request, and their security schemes, to their routes."""
    for route in protected_routes(app.routes):
        path = document["paths"].get(route.path, {})
        schemes = route.dependency.security_schemes if isinstance(route.dependency, AccessDependency) else {}
        for operation in (path[method.lower()] for method in route.methods if method.lower() in path):
            if schemes:
                # Another dependency of the route may accept fewer schemes.
                operation.setdefault("security", [{name: []} for name in schemes])
                document["components"].setdefault("securitySchemes", {}).update(schemes)
            for status, response in route.dependency.responses.items():
                operation["responses"].setdefault(str(status), response)


def _shorten_id(operation: dict[str, Any], path: str, method: str) -> None:
    """Leave only the name of the function. FastAPI appends the path and the method."""
    operation["operationId"] = operation["operationId"].removesuffix(f"{NOT_IN_NAME.sub('_', path)}_{method}")


def _require_unique_ids(paths: dict[str, dict[str, Any]]) -> None:
    routes: dict[str, str] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            name, route = operation["operationId"], f"{method.upper()} {path}"
            if other := routes.get(name):
                raise FeatureError(
                    f"routes {other} and {route}: both have the operation id {name}; rename one of their functions, or "
                    "set operation_id"
                )
            routes[name] = route


def _rename_forms(part: Any, names: dict[str, str]) -> None:
    """Shorten the names of the schemas of forms, which FastAPI derives from the long ids of their operations."""
    if isinstance(part, dict):
        for long_name in names.keys() & part.keys():
            part[names[long_name]] = part.pop(long_name)
        reference = part.get("$ref")
        if isinstance(reference, str) and (short := names.get(reference.rpartition("/")[2])):
            part["$ref"] = SCHEMA_PLACE.format(model=short)
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            _rename_forms(inner, names)


def _describe(name: str, part: dict[str, Any]) -> None:
    """Add the description of a name that means the same everywhere, unless the code has one."""
    if text := COMMON_NAMES.get(name):
        part.setdefault("description", text)


def _write_constants_as_enums(part: Any) -> None:
    """Replace `const` by an `enum` with one value, because some client generators omit operations with a `const`."""
    if isinstance(part, dict):
        if isinstance(part.get("const"), str):
            part["enum"] = [part.pop("const")]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            _write_constants_as_enums(inner)


def _complete(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    takes_input = responses.pop("422", None) is not None
    problems = {
        **COMMON,
        **(WITH_BODY if "requestBody" in operation else {}),
        **(INVALID if takes_input else {}),
    }
    for status, description in problems.items():
        responses.setdefault(
            status,
            {
                "description": description,
                "content": {PROBLEM_JSON: {"schema": {"$ref": SCHEMA_PLACE.format(model="Problem")}}},
            },
        )
