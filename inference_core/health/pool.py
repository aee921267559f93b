"""The numbers of a connection pool."""

from __future__ import annotations

from typing import TypedDict

from sqlalchemy.pool import Pool, QueuePool


class PoolNumbers(TypedDict):
    """Connections a pool keeps, lends at this moment, and has made beyond its size; null where it has no limit."""

    pool_size: int | None
    checked_out: int | None
    overflow: int | None


def pool_numbers(pool: Pool) -> PoolNumbers:
    """The numbers of `pool`; the overflow counts from zero."""
    if not isinstance(pool, QueuePool):
        return PoolNumbers(pool_size=None, checked_out=None, overflow=None)
    return PoolNumbers(pool_size=pool.size(), checked_out=pool.checkedout(), overflow=max(0, pool.overflow()))
