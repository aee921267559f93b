"""Convert errors to HTTP: every 4xx and 5xx response is `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from textwrap import shorten
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from inference_core.core import exceptions
from inference_core.core.loggers import get_logger
from inference_core.core.logging import current_request_id
from inference_core.core.telemetry.access_log import shortened

log = get_logger(__name__)

ExceptionHandler = Callable[[Request, Exception], Awaitable[Response]]

PROBLEM_JSON = "application/problem+json"
BEARER_CHALLENGE = {"WWW-Authenticate": "Bearer"}
# The detail of a 422 names at most this many fields; `errors` contains all of them.
FIELDS_IN_DETAIL = 3
# A name can be a key that the client has chosen.
NAME_CHARACTERS = 100

STATUS_OF: dict[exceptions.ErrorKind, int] = {
    "internal": 500,
    "invalid_input": 400,
    "not_authenticated": 401,
    "not_permitted": 403,
    "not_found": 404,
    "conflict": 409,
    "unprocessable": 422,
    "throttled": 429,
    "upstream_failed": 502,
    "unavailable": 503,
    "upstream_timeout": 504,
}


class FieldProblem(BaseModel):
    """One field that failed validation."""

    loc: list[str | int] = Field(
        description="The place of the field: `body`, `query`, `path` or `header`, and the names within it.",
        examples=[["body", "email"]],
    )
    msg: str = Field(description="What is wrong, for people.", examples=["Field required"])
    type: str = Field(description="What is wrong, for programs.", examples=["missing"])


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(
        default="about:blank",
        description="Always `about:blank`, which adds nothing to the status: `code` names the error.",
    )
    title: str = Field(description="The name of the status.", examples=["Not Found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What is wrong and what to do, for people.", examples=["Not found."])
    instance: str = Field(description="The path of the request.", examples=["/api/v1/auth/me"])
    request_id: str = Field(
        description="Identifies the log lines of the request. It is also in the header `X-Request-ID`.",
        examples=["6366bc3d67f4ca64"],
    )
    code: str | None = Field(default=None, description="The error, for programs. It never changes.")
    errors: list[FieldProblem] | None = Field(default=None, description="The fields that are not valid, with 422.")
    retry_after_s: int | None = Field(
        default=None, description="Seconds after which a retry can succeed, as in the header `Retry-After`."
    )
    phase: str | None = Field(
        default=None,
        description="The time limit that was exceeded: `connect`, `first_token`, `between_tokens` or `total`.",
    )


def status_of(error: type[exceptions.ServiceError]) -> int:
    """Return the HTTP status of a domain error."""
    return STATUS_OF[error.kind]


def responses_for(*errors: type[exceptions.ServiceError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries for a route that can raise `errors`. An entry describes all errors of its status."""
    descriptions: dict[int, list[str]] = {}
    for error in errors:
        when = (error.__doc__ or "").split("\n", 1)[0].removeprefix("Raised ")
        descriptions.setdefault(status_of(error), []).append(f"`{error.code}`: {when}")
    return {
        status: {
            "description": " ".join(texts),
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, texts in descriptions.items()
    }


def problem_response(
    path: str,
    status: int,
    detail: str,
    *,
    code: str,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
    retry_after_s: int | None = None,
    phase: str | None = None,
) -> Response:
    """Return a problem document as a response."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=path,
        request_id=current_request_id(),
        code=code,
        errors=errors,
        retry_after_s=retry_after_s,
        phase=phase,
    )
    if retry_after_s is not None:
        headers = {**(headers or {}), "Retry-After": str(retry_after_s)}
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, PROBLEM_JSON)


def service_problem(path: str, error: exceptions.ServiceError) -> Response:
    """Return the problem document of a domain error."""
    status = status_of(type(error))
    return problem_response(
        path,
        status,
        error.detail,
        code=error.code,
        headers=BEARER_CHALLENGE if status == HTTPStatus.UNAUTHORIZED else None,
        retry_after_s=error.retry_after_s,
        phase=error.phase,
    )


async def on_service_error(request: Request, error: Exception) -> Response:
    """Return the problem document of a domain error."""
    assert isinstance(error, exceptions.ServiceError)  # noqa: S101  # registered for this type only
    return service_problem(request.url.path, error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Return the problem document of a routing error: 404, 405 or 413."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    status, headers, detail = HTTPStatus(error.status_code), dict(error.headers or {}), str(error.detail)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        # The router lists only the methods of the first route with this path.
        named = {method.strip() for method in headers.get("Allow", "").split(",") if method}
        allowed = named | documented_methods(request.app.openapi(), request.url.path)
        headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
        detail = f"This path supports {headers['Allow']}."
    elif status == HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = "There is nothing at this path."
    code = getattr(error, "code", None) or status.name.lower()
    return problem_response(request.url.path, status, detail, code=code, headers=headers)


def documented_methods(document: dict[str, Any], path: str) -> set[str]:
    """Return the methods of an OpenAPI document for `path`, or else for the templates that match it."""
    paths = document["paths"]
    matching = [paths[path]] if path in paths else [paths[name] for name in paths if compile_path(name)[0].match(path)]
    return {method.upper() for item in matching for method in item}


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Return the invalid fields, without their values."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this type only
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        position = found[0]["loc"][-1]
        detail = f"The body is not valid JSON: {found[0]['ctx']['error']} at character {position + 1}."
        fields = [FieldProblem(loc=["body"], msg="Invalid JSON", type="json_invalid")]
        return problem_response(request.url.path, 422, detail, code="invalid_json", errors=fields)
    fields = [FieldProblem(loc=list(item["loc"]), msg=item["msg"], type=item["type"]) for item in found]
    detail = _summary(fields)
    return problem_response(request.url.path, 422, detail, code="validation_failed", errors=fields)


def _summary(fields: list[FieldProblem]) -> str:
    """Return the first fields with their problems as one sentence."""
    if fields[0].loc == ["body"] and fields[0].type == "model_attributes_type":
        return "The body must be a JSON object, with the header Content-Type: application/json."
    parts = []
    for field in fields[:FIELDS_IN_DETAIL]:
        name = ".".join(map(str, field.loc[1:] or field.loc))
        parts.append(f"{shorten(name, NAME_CHARACTERS)}: {field.msg.removeprefix('Value error, ').rstrip('.')}")
    more = len(fields) - len(parts)
    return "; ".join(parts) + (f"; and {more} more {'fields' if more > 1 else 'field'}." if more else ".")


async def on_unexpected(request: Request, error: Exception) -> Response:
    """Log an unexpected error. The response contains no details."""
    log.error("unhandled_exception", path=shortened(request.url.path), method=request.method, exc_info=error)
    # No middleware sees this response, so the request id is added here. The server closes the connection after the
    # error. Without the header, the client would send its next request on the closing connection.
    headers = {"X-Request-ID": current_request_id(), "Connection": "close"}
    detail = "The request could not be served."
    return problem_response(request.url.path, 500, detail, code="internal_error", headers=headers)


def converted(errors: Mapping[type[Exception], type[exceptions.ServiceError]]) -> ExceptionHandler:
    """Return a handler that converts exceptions of a library, by their nearest base class in `errors`."""

    async def on_library_error(request: Request, error: Exception) -> Response:
        kind = next(errors[base] for base in type(error).__mro__ if base in errors)
        log.warning("library_error", error=type(error).__name__, code=kind.code)
        return await on_service_error(request, kind())

    return on_library_error


def install_error_handlers(
    app: FastAPI, library_errors: Mapping[type[Exception], type[exceptions.ServiceError]]
) -> None:
    """Register the error handlers of `app`, including those that convert exceptions of libraries."""
    for error in library_errors:
        app.add_exception_handler(error, converted(library_errors))
    app.add_exception_handler(exceptions.ServiceError, on_service_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(Exception, on_unexpected)
