"""The connection pool of every engine: SQLAlchemy's own, that also tells how long each connection was waited for."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection


class TimedPool(AsyncAdaptedQueuePool):
    """Calls `on_wait`, where there is one, with the seconds each checkout took, that of a new connection included."""

    on_wait: Callable[[float], None] | None = None

    def connect(self) -> PoolProxiedConnection:
        """Lend a connection, or raise as the pool does."""
        start_s = perf_counter()
        try:
            return super().connect()
        finally:
            if self.on_wait is not None:
                self.on_wait(perf_counter() - start_s)
