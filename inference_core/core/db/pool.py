"""The connection pool of the engines: SQLAlchemy's pool, which also reports the waiting time of each checkout."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection


class TimedPool(AsyncAdaptedQueuePool):
    """A mixin that calls `on_wait`, if set, with the seconds of each checkout, including new connections."""

    on_wait: Callable[[float], None] | None = None

    def connect(self) -> PoolProxiedConnection:
        """Check out a connection. Raises the errors of the pool."""
        start_s = perf_counter()
        try:
            return super().connect()
        finally:
            if self.on_wait is not None:
                self.on_wait(perf_counter() - start_s)
