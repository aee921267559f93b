"""Update the gauges in the background: the event-loop lag fifty times a second, all others once a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.pool import Pool

from inference_core.core.background import run_until_cancelled
from inference_core.core.db.engine import Database
from inference_core.core.db.pool import TimedPool
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.traffic import Traffic
from inference_core.health.pool import pool_numbers
from inference_core.health.watch import HealthWatch

LAG_EVERY_S = 0.02
GAUGES_EVERY_S = 1.0


@asynccontextmanager
async def keep_metrics(
    metrics: Metrics, traffic: Traffic, database: Database, health: HealthWatch
) -> AsyncIterator[None]:
    """Update the metrics during the context."""

    async def set_gauges() -> None:
        set_traffic(metrics, traffic)
        set_pools(metrics, database)
        set_dependencies(metrics, health)

    await set_gauges()
    time_pools(metrics, database)
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


def set_dependencies(metrics: Metrics, health: HealthWatch) -> None:
    """Update the results of the health probes and of the worker monitor."""
    snapshot = health.workers.snapshot
    metrics.up.labels("database").set(health.database.status == "healthy")
    metrics.up.labels("redis").set(health.redis.status == "healthy")
    metrics.up.labels("broker").set(snapshot.broker_available)
    metrics.redis_round_trip.set(health.redis_round_trip_s)
    for state in ("online", "stopping", "unresponsive"):
        metrics.workers.labels(state).set(sum(worker.status == state for worker in snapshot.workers))
    for queue, depth in snapshot.queue_depths.items():
        metrics.queue_depth.labels(queue).set(depth)
    metrics.dead_letters.set(snapshot.dead_letters)
