"""Convert errors of Redis to errors of the service."""

from __future__ import annotations

from redis.exceptions import RedisError

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.loggers import get_logger

log = get_logger(__name__)


class SessionStoreUnavailableError(DependencyUnavailableError):
    """Raised if Redis, which stores the sessions, does not respond in time."""

    code = "session_store_unavailable"
    detail = "The session store is not available. Try again shortly."


class redis_unavailable_as_domain_error:  # noqa: N801  # reads as a function
    """A context that converts errors of redis-py to `SessionStoreUnavailableError`."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Convert the error, if any."""
        if isinstance(error, RedisError | OSError):
            log.warning("redis_unavailable", error=type(error).__name__, reason=str(error))
            raise SessionStoreUnavailableError from error
