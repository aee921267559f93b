"""Update the gauges in the background: the event-loop lag fifty times a second, all others once a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.pool import Pool

from inference_core.core.background import run_until_cancelled
from inference_core.core.db.engine import Database
from inference_core.core.db.pool import TimedPool, pool_numbers
from inference_core.core.state import AppState
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.traffic import Traffic

LAG_EVERY_S = 0.02
GAUGES_EVERY_S = 1.0


@asynccontextmanager
async def keep_metrics(state: AppState) -> AsyncIterator[None]:
    """Update the metrics during the context: those of the application, and the gauges of the features."""
    metrics = state.metrics

    async def set_gauges() -> None:
        set_traffic(metrics, state.traffic)
        set_pools(metrics, state.database)
        for set_gauge in state.gauges:
            set_gauge()

    await set_gauges()
    time_pools(metrics, state.database)
    with measure_loop_lag(metrics):
        async with run_until_cancelled(set_gauges, every_s=GAUGES_EVERY_S, name="gauges"):
            yield
    metrics.close()


@contextmanager
def measure_loop_lag(metrics: Metrics) -> Iterator[None]:
    """Record the delays of a callback that is due every 20 ms, during the context.

    Fast path: plain callbacks, because a sleeping task would cost five times as much.
    """
    loop = asyncio.get_running_loop()
    handle: asyncio.TimerHandle

    def wake(due_s: float) -> None:
        nonlocal handle
        now_s = loop.time()
        metrics.loop_lag.observe(max(0.0, now_s - due_s))
        handle = loop.call_at(now_s + LAG_EVERY_S, wake, now_s + LAG_EVERY_S)

    first_s = loop.time() + LAG_EVERY_S
    handle = loop.call_at(first_s, wake, first_s)
    try:
        yield
    finally:
        handle.cancel()


def set_traffic(metrics: Metrics, traffic: Traffic) -> None:
    """Update the numbers of running and waiting requests."""
    metrics.requests_active.set(traffic.active)
    metrics.requests_waiting.set(len(traffic.waiting))


def pools_of(database: Database) -> dict[str, Pool]:
    """Return the pools by name. A pool for both kinds of sessions is returned once."""
    pools = {"read": database.engine.pool, "write": database.write_engine.pool}
    if pools["read"] is pools["write"]:
        del pools["write"]
    return pools


def time_pools(metrics: Metrics, database: Database) -> None:
    """Record the waiting times for connections of the pools."""
    for name, pool in pools_of(database).items():
        if isinstance(pool, TimedPool):
            pool.on_wait = metrics.pool_wait.labels(name).observe


def set_pools(metrics: Metrics, database: Database) -> None:
    """Update the connections of the pools."""
    for name, pool in pools_of(database).items():
        numbers = pool_numbers(pool)
        metrics.pool.labels(name, "size").set(numbers["pool_size"] or 0)
        metrics.pool.labels(name, "checked_out").set(numbers["checked_out"] or 0)
        metrics.pool.labels(name, "overflow").set(numbers["overflow"] or 0)
