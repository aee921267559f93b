"""The connection pool of the engines, which also reports the waiting time of each checkout, and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TypedDict

from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool, PoolProxiedConnection, QueuePool


class TimedPool(AsyncAdaptedQueuePool):
    """A mixin that calls `on_wait`, if set, with the seconds of each checkout, including new connections."""

    on_wait: Callable[[float], None] | None = None

    @property
    def open_connections(self) -> int:
        """The number of open connections, idle or used."""
        return self.size() + self.overflow()

    @property
    def limit(self) -> int:
        """The maximum number of open connections: the size and the maximum overflow."""
        return self.size() + self._max_overflow

    def connect(self) -> PoolProxiedConnection:
        """Check out a connection. Raises the errors of the pool."""
        start_s = perf_counter()
        try:
            return super().connect()
        finally:
            if self.on_wait is not None:
                self.on_wait(perf_counter() - start_s)


class PoolNumbers(TypedDict):
    """The idle, used and overflow connections of a pool. A number is null if the pool has no limit."""

    pool_size: int | None
    checked_out: int | None
    overflow: int | None


def pool_numbers(pool: Pool) -> PoolNumbers:
    """Return the numbers of `pool`. The overflow starts at zero."""
    if not isinstance(pool, QueuePool):
        return PoolNumbers(pool_size=None, checked_out=None, overflow=None)
    return PoolNumbers(pool_size=pool.size(), checked_out=pool.checkedout(), overflow=max(0, pool.overflow()))
