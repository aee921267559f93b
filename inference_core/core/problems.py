"""Convert errors to HTTP: every 4xx and 5xx response is `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from inference_core.core import exceptions
from inference_core.core.loggers import get_logger
from inference_core.core.logging import current_request_id
from inference_core.core.telemetry.access_log import shortened
from inference_core.llm import errors as llm

log = get_logger(__name__)

PROBLEM_JSON = "application/problem+json"
BEARER_CHALLENGE = {"WWW-Authenticate": "Bearer"}

STATUS_OF: dict[type[exceptions.ServiceError], int] = {
    exceptions.NotFoundError: 404,
    exceptions.ConflictError: 409,
    exceptions.InvalidInputError: 400,
    exceptions.UnprocessableError: 422,
    exceptions.NotAuthenticatedError: 401,
    exceptions.NotPermittedError: 403,
    exceptions.ThrottledError: 429,
    exceptions.DependencyUnavailableError: 503,
    llm.LLMNotConfiguredError: 503,
    llm.UnknownModelError: 404,
    llm.UnknownProviderError: 404,
    llm.ForbiddenParameterError: 400,
    llm.ContextTooLongError: 400,
    llm.ProviderBadRequestError: 400,
    llm.ProviderRateLimitedError: 429,
    llm.UpstreamUnavailableError: 503,
    llm.CircuitOpenError: 503,
    llm.ProviderTimeoutError: 504,
    llm.ProviderError: 502,
    exceptions.ServiceError: 500,
}


class FieldProblem(BaseModel):
    """One field that failed validation."""

    loc: list[str | int]
    msg: str
    type: str


class Problem(BaseModel):
    """A problem document. `request_id` identifies the matching log lines."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    code: str | None = None
    errors: list[FieldProblem] | None = None


def status_of(error: type[exceptions.ServiceError]) -> int:
    """Return the HTTP status of a domain error, from its nearest ancestor in the table."""
    return next(STATUS_OF[kind] for kind in error.__mro__ if kind in STATUS_OF)


def responses_for(*errors: type[exceptions.ServiceError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries for a route that can raise `errors`."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        status = status_of(error)
        description = (error.__doc__ or "").split("\n", 1)[0]
        responses.setdefault(
            status,
            {
                "description": description,
                "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        )
    return responses


def problem_response(
    path: str,
    status: int,
    detail: str,
    *,
    code: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
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
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, PROBLEM_JSON)


async def on_service_error(request: Request, error: Exception) -> Response:
    """Return the problem document of a domain error."""
    assert isinstance(error, exceptions.ServiceError)  # noqa: S101  # registered for this type only
    status = status_of(type(error))
    headers = dict(BEARER_CHALLENGE) if status == HTTPStatus.UNAUTHORIZED else {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return problem_response(request.url.path, status, error.detail, code=error.code, headers=headers)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Return the problem document of a routing error: 404, 405 or 413."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    headers = dict(error.headers) if error.headers else {}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The router lists only the methods of the first route with this path.
        named = {method.strip() for method in headers.get("Allow", "").split(",") if method}
        allowed = named | documented_methods(request.app.openapi(), request.url.path)
        headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    code = getattr(error, "code", None)
    return problem_response(request.url.path, error.status_code, str(error.detail), code=code, headers=headers)


def documented_methods(document: dict[str, Any], path: str) -> set[str]:
    """Return the methods of an OpenAPI document for `path`, or else for the templates that match it."""
    paths = document["paths"]
    matching = [paths[path]] if path in paths else [paths[name] for name in paths if compile_path(name)[0].match(path)]
    return {method.upper() for item in matching for method in item}


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Return the invalid fields, without their values."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this type only
    fields = [FieldProblem(loc=list(item["loc"]), msg=item["msg"], type=item["type"]) for item in error.errors()]
    count = len(fields)
    detail = f"{count} field{'s are' if count != 1 else ' is'} not valid."
    return problem_response(request.url.path, 422, detail, code="validation_failed", errors=fields)


async def on_unexpected(request: Request, error: Exception) -> Response:
    """Log an unexpected error. The response contains no details."""
    log.error("unhandled_exception", path=shortened(request.url.path), method=request.method, exc_info=error)
    # This answer leaves outside of every middleware, so that nobody else adds the id. The error goes on to the server,
    # which closes the connection: a caller who is not told sends its next request into the closing.
    headers = {"X-Request-ID": current_request_id(), "Connection": "close"}
    detail = "The request could not be served."
    return problem_response(request.url.path, 500, detail, code="internal_error", headers=headers)


def install_error_handlers(app: FastAPI) -> None:
    """Register the error handlers of `app`."""
    app.add_exception_handler(exceptions.ServiceError, on_service_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(Exception, on_unexpected)
