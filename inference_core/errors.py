"""The one place where what went wrong becomes HTTP: `application/problem+json` (RFC 9457) for every 4xx and 5xx."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from inference_core import exceptions
from inference_core.llm import errors as llm
from inference_core.loggers import get_logger
from inference_core.logging import current_request_id
from inference_core.telemetry.access_log import shortened

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
    """A problem document; `request_id` finds the matching log lines."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    code: str | None = None
    errors: list[FieldProblem] | None = None


def status_of(error: type[exceptions.ServiceError]) -> int:
    """The HTTP status of a domain error: that of the nearest ancestor in the table."""
    return next(STATUS_OF[kind] for kind in error.__mro__ if kind in STATUS_OF)


def responses_for(*errors: type[exceptions.ServiceError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for a route that may raise `errors`."""
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
    """A problem document as a response."""
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
    """Map a domain error by the table."""
    assert isinstance(error, exceptions.ServiceError)  # noqa: S101  # registered for this type only
    status = status_of(type(error))
    headers = dict(BEARER_CHALLENGE) if status == HTTPStatus.UNAUTHORIZED else {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return problem_response(request.url.path, status, error.detail, code=error.code, headers=headers)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Routing's own errors: 404, 405, 413."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    headers = dict(error.headers) if error.headers else {}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Routing names the methods of the first route with this path only.
        named = {method.strip() for method in headers.get("Allow", "").split(",") if method}
        allowed = named | documented_methods(request.app.openapi(), request.url.path)
        headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    code = getattr(error, "code", None)
    return problem_response(request.url.path, error.status_code, str(error.detail), code=code, headers=headers)


def documented_methods(document: dict[str, Any], path: str) -> set[str]:
    """The methods an OpenAPI document has for `path`: as it stands, else for the templates that match it."""
    paths = document["paths"]
    matching = [paths[path]] if path in paths else [paths[name] for name in paths if compile_path(name)[0].match(path)]
    return {method.upper() for item in matching for method in item}


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Say which fields are wrong, without echoing what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this type only
    fields = [FieldProblem(loc=list(item["loc"]), msg=item["msg"], type=item["type"]) for item in error.errors()]
    count = len(fields)
    detail = f"{count} field{'s are' if count != 1 else ' is'} not valid."
    return problem_response(request.url.path, 422, detail, code="validation_failed", errors=fields)


async def on_unexpected(request: Request, error: Exception) -> Response:
    """Log in full, answer with nothing of it."""
    log.error("unhandled_exception", path=shortened(request.url.path), method=request.method, exc_info=error)
    # This answer leaves outside of every middleware, so that nobody else adds the id. The error goes on to the server,
    # which closes the connection: a caller who is not told sends its next request into the closing.
    headers = {"X-Request-ID": current_request_id(), "Connection": "close"}
    detail = "The request could not be served."
    return problem_response(request.url.path, 500, detail, code="internal_error", headers=headers)


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers above on `app`."""
    app.add_exception_handler(exceptions.ServiceError, on_service_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(Exception, on_unexpected)
