"""Update the gauges in the background: the event-loop lag fifty times a second, all others once a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from inference_core.core.background import run_until_cancelled
from inference_core.core.db.engine import Database
from inference_core.core.db.pool import TimedPool, pool_numbers
from inference_core.core.db.statements import time_statements
from inference_core.core.state import AppState
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.telemetry.runtime import RuntimeMetrics
from inference_core.core.traffic import Traffic

LAG_EVERY_S = 0.02
GAUGES_EVERY_S = 1.0
# The label of the connections for point reads, which have no pool.
POINT = "point"


@asynccontextmanager
async def keep_metrics(state: AppState) -> AsyncIterator[None]:
    """Update the metrics during the context: those of the application, and the gauges of the features."""
    metrics = state.metrics
    state.gauges.append(lambda: set_traffic(metrics, state.traffic))
    state.gauges.append(lambda: set_pools(metrics, state.database))
    state.gauges.append(metrics.feature(RuntimeMetrics).set)
    state.gauges.append(metrics.flush)

    async def set_gauges() -> None:
        state.set_gauges()

    state.set_gauges()
    time_database(metrics, state.database)
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


def engines_of(database: Database) -> dict[str, AsyncEngine]:
    """Return the engines by the name of their pool. Engines that share a pool are returned once."""
    engines = {"read": database.engine, "write": database.write_engine}
    if engines["read"].pool is engines["write"].pool:
        del engines["write"]
    return engines


def time_database(metrics: Metrics, database: Database) -> None:
    """Record the waits for connections, and the times of statements."""
    for name, engine in engines_of(database).items():
        if isinstance(engine.pool, TimedPool):
            engine.pool.on_wait = metrics.pool_wait.labels(name).observe
        time_statements(engine.dialect, metrics.statement_observer(name))
    if (points := database.points) is not None:
        points.on_wait = metrics.pool_wait.labels(POINT).observe
        points.on_statement = metrics.statement_observer(POINT)


def set_pools(metrics: Metrics, database: Database) -> None:
    """Update the connections of the pools."""
    for name, engine in engines_of(database).items():
        pool = engine.pool
        numbers = pool_numbers(pool)
        metrics.pool.labels(name, "size").set(numbers["pool_size"] or 0)
        metrics.pool.labels(name, "checked_out").set(numbers["checked_out"] or 0)
        metrics.pool.labels(name, "overflow").set(numbers["overflow"] or 0)
        if isinstance(pool, TimedPool):
            metrics.pool.labels(name, "open").set(pool.open_connections)
            metrics.pool.labels(name, "limit").set(pool.limit)
    if (points := database.points) is not None:
        metrics.pool.labels(POINT, "checked_out").set(points.in_use)
        metrics.pool.labels(POINT, "open").set(points.open_connections)
        metrics.pool.labels(POINT, "limit").set(points.limit)
