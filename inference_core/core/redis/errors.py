"""Convert errors of Redis to errors of the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.loggers import get_logger

log = get_logger(__name__)


@contextmanager
def redis_errors_as(unavailable: type[DependencyUnavailableError]) -> Iterator[None]:
    """Convert errors of redis-py to a domain error, and log them."""
    try:
        yield
    except (RedisError, OSError) as error:
        log.warning("redis_unavailable", code=unavailable.code, error=type(error).__name__, reason=str(error))
        raise unavailable from error
