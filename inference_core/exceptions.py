"""What can go wrong in the service, in the service's own words; nothing here knows HTTP.

OperatorError   settings, databases or commands that whoever runs the service can correct
ServiceError    what a client is told
├── NotFoundError              what was asked for is not there, or not the caller's
├── ConflictError              it exists already
├── InvalidInputError          well-formed but not acceptable
├── UnprocessableError         acceptable by itself, but it contradicts an earlier request
├── NotAuthenticatedError      who is calling is not known
│   └── InvalidCredentialsError   a login that failed, whatever the reason
├── NotPermittedError          known, but not allowed
├── ThrottledError             too many attempts; `retry_after_s` says when to come back
└── DependencyUnavailableError   a database, Redis, broker or provider does not answer; `retry_after_s` likewise
"""

from __future__ import annotations


class OperatorError(Exception):
    """What whoever runs the service can correct; the text says what is wrong, where, and what to do."""


class ServiceError(Exception):
    """Base of all; `code` is a stable machine-readable word, `detail` one sentence fit for any client."""

    code = "service_error"
    detail = "The request could not be served."
    retry_after_s: int | None = None

    def __init__(self, detail: str | None = None, *, code: str | None = None) -> None:
        if detail is not None:
            self.detail = detail
        if code is not None:
            self.code = code
        super().__init__(self.detail)


class NotFoundError(ServiceError):
    """What was asked for does not exist, or belongs to somebody else, which must look the same."""

    code = "not_found"
    detail = "Not found."


class ConflictError(ServiceError):
    """The thing to be made exists already."""

    code = "conflict"
    detail = "It exists already."


class InvalidInputError(ServiceError):
    """Well-formed input that cannot be accepted."""

    code = "invalid_input"
    detail = "The input is not acceptable."


class UnprocessableError(ServiceError):
    """Well-formed and acceptable by itself, but it contradicts an earlier request."""

    code = "unprocessable"
    detail = "The request contradicts an earlier one."


class NotAuthenticatedError(ServiceError):
    """The caller is not known: no token, a bad one, or one that no longer counts."""

    code = "not_authenticated"
    detail = "Could not validate credentials."


class InvalidCredentialsError(NotAuthenticatedError):
    """A failed login; one and the same for every reason."""

    code = "invalid_credentials"
    detail = "Incorrect username or password."


class NotPermittedError(ServiceError):
    """The caller is known and may not do this."""

    code = "not_permitted"
    detail = "Not permitted."


class ThrottledError(ServiceError):
    """Too many attempts; try again in `retry_after_s` seconds."""

    code = "throttled"
    detail = "Too many attempts. Try again later."

    def __init__(self, retry_after_s: int, detail: str | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class DependencyUnavailableError(ServiceError):
    """Something the service needs does not answer in time; try again in `retry_after_s` seconds."""

    code = "dependency_unavailable"
    detail = "A service this needs is not available. Try again shortly."
    retry_after_s = 2
