"""The numbers of a connection pool."""

from __future__ import annotations

from typing import TypedDict

from sqlalchemy.pool import Pool, QueuePool


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
