"""The errors of a service. They do not depend on HTTP: `problems.py` has the status of each kind."""

from __future__ import annotations

from typing import ClassVar, Literal

ErrorKind = Literal[
    "internal",
    "invalid_input",
    "not_authenticated",
    "not_permitted",
    "not_found",
    "conflict",
    "unprocessable",
    "throttled",
    "upstream_failed",
    "unavailable",
    "upstream_timeout",
]


class OperatorError(Exception):
    """Raised for an error that the operator can correct. The text states what is wrong, where, and what to do."""


class ServiceError(Exception):
    """Base class.

    Attributes:
        kind: What clients can do about it. A subclass has the kind of its base class unless it sets another one.
        code: Stable and machine-readable.
        detail: One sentence for clients.
        retry_after_s: The seconds after which a retry can succeed, if known.
        phase: The time limit that was exceeded, for calls with several limits.
    """

    kind: ClassVar[ErrorKind] = "internal"
    code = "service_error"
    detail = "The request could not be served."
    retry_after_s: int | None = None
    phase: str | None = None

    def __init__(self, detail: str | None = None, *, code: str | None = None) -> None:
        if detail is not None:
            self.detail = detail
        if code is not None:
            self.code = code
        super().__init__(self.detail)


class NotFoundError(ServiceError):
    """Raised if an object does not exist or belongs to another user. Clients cannot distinguish the two cases."""

    kind: ClassVar[ErrorKind] = "not_found"
    code = "not_found"
    detail = "Not found."


class ConflictError(ServiceError):
    """Raised if the object to be created already exists."""

    kind: ClassVar[ErrorKind] = "conflict"
    code = "conflict"
    detail = "It already exists."


class InvalidInputError(ServiceError):
    """Raised for well-formed but invalid input."""

    kind: ClassVar[ErrorKind] = "invalid_input"
    code = "invalid_input"
    detail = "The input is not valid."


class UnprocessableError(ServiceError):
    """Raised for valid input that contradicts an earlier request."""

    kind: ClassVar[ErrorKind] = "unprocessable"
    code = "unprocessable"
    detail = "The request contradicts an earlier one."


class NotAuthenticatedError(ServiceError):
    """Raised if the token is missing, invalid or no longer valid."""

    kind: ClassVar[ErrorKind] = "not_authenticated"
    code = "not_authenticated"
    detail = "Could not validate credentials."


class InvalidCredentialsError(NotAuthenticatedError):
    """Raised for a failed login. It is the same for every reason."""

    code = "invalid_credentials"
    detail = "Incorrect username or password."


class NotPermittedError(ServiceError):
    """Raised if the caller is authenticated but not permitted."""

    kind: ClassVar[ErrorKind] = "not_permitted"
    code = "not_permitted"
    detail = "Not permitted."


class ThrottledError(ServiceError):
    """Raised after too many attempts. Retry after `retry_after_s` seconds."""

    kind: ClassVar[ErrorKind] = "throttled"
    code = "throttled"
    detail = "Too many attempts. Try again later."

    def __init__(self, retry_after_s: int, detail: str | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class DependencyUnavailableError(ServiceError):
    """Raised if a dependency does not respond in time. Retry after `retry_after_s` seconds."""

    kind: ClassVar[ErrorKind] = "unavailable"
    code = "dependency_unavailable"
    detail = "A service that this request needs is not available. Try again shortly."
    retry_after_s = 2
