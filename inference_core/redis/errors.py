"""Turns Redis' errors into the service's own."""

from __future__ import annotations

from redis.exceptions import RedisError

from inference_core.exceptions import DependencyUnavailableError
from inference_core.loggers import get_logger

log = get_logger(__name__)


class SessionStoreUnavailableError(DependencyUnavailableError):
    """Redis, which keeps the sessions, does not answer in time."""

    code = "session_store_unavailable"
    detail = "The session store is not available. Try again shortly."


class redis_unavailable_as_domain_error:  # noqa: N801  # reads as a function
    """A context that turns what redis-py raises into `SessionStoreUnavailableError`."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Translate."""
        if isinstance(error, RedisError | OSError):
            log.warning("redis_unavailable", error=type(error).__name__, reason=str(error))
            raise SessionStoreUnavailableError from error
