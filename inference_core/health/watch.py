"""Background probes of the service's parts. Health routes therefore never wait for a slow part."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from redis.exceptions import RedisError

from inference_core.core.background import run_until_cancelled
from inference_core.core.loggers import get_logger
from inference_core.core.redis.client import RedisClient
from inference_core.core.redis.eviction import EvictionWatch
from inference_core.core.settings import Settings
from inference_core.core.traffic import Traffic
from inference_core.health.components import Component, Components, Status
from inference_core.health.database_probe import DatabaseDownError, DatabaseProbe
from inference_core.tasks.monitor import WorkerMonitor
from inference_core.tasks.snapshot import judge

log = get_logger(__name__)

PROBE_EVERY_S = 0.4
# Policies change rarely.
EVICTION_EVERY_S = 10.0


def _now() -> datetime:
    return datetime.now(UTC)


def _unseen() -> Component:
    return Component("unhealthy", _now(), "Not checked yet.")


@dataclass(slots=True)
class HealthWatch:
    """The latest state of each part. Reading it never waits."""

    probe: DatabaseProbe
    redis_client: RedisClient
    workers: WorkerMonitor
    traffic: Traffic
    ask_llm: Callable[[], Component]
    eviction: EvictionWatch
    database: Component = field(default_factory=_unseen)
    llm: Component = field(default_factory=_unseen)
    redis: Component = field(default_factory=_unseen)
    redis_round_trip_s: float = 0.0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        redis: RedisClient,
        workers: WorkerMonitor,
        traffic: Traffic,
        ask_llm: Callable[[], Component],
    ) -> AsyncIterator[HealthWatch]:
        """Probe all parts once, then repeatedly until the context ends."""
        async with DatabaseProbe.open(settings.database_url) as probe:
            eviction = EvictionWatch.of(settings, redis=redis.client, broker=workers.redis, results=workers.results)
            watch = cls(probe, redis, workers, traffic, ask_llm, eviction)
            await eviction.look()
            await asyncio.gather(watch.look_at_database(), watch.look_at_redis(), watch.look_at_llm())
            async with (
                run_until_cancelled(watch.look_at_database, every_s=PROBE_EVERY_S, name="database_probe"),
                run_until_cancelled(watch.look_at_redis, every_s=PROBE_EVERY_S, name="redis_probe"),
                run_until_cancelled(watch.look_at_llm, every_s=PROBE_EVERY_S, name="llm_probe"),
                run_until_cancelled(eviction.look, every_s=EVICTION_EVERY_S, name="eviction_probe"),
            ):
                yield watch

    async def look_at_database(self) -> None:
        """Probe the database once."""
        try:
            await self.probe.ask()
        except DatabaseDownError as error:
            self._note("database", "unhealthy", error.detail)
        else:
            self._note("database", "healthy")

    async def look_at_redis(self) -> None:
        """Probe Redis once."""
        start_s = time.perf_counter()
        try:
            await self.redis_client.client.ping()
        except (RedisError, OSError):
            self._note("redis", "unhealthy", "Redis does not respond.")
        else:
            self.redis_round_trip_s = time.perf_counter() - start_s
            warning = self.eviction.warning
            self._note("redis", "degraded" if warning else "healthy", warning)

    def components(self) -> Components:
        """Return the latest state of every part."""
        snapshot = self.workers.snapshot
        verdict = judge(snapshot, snapshot.age_ms(time.monotonic()))
        now = _now()
        message = None if verdict.status == "healthy" else verdict.message
        return Components(
            database=self.database,
            application=self._application(now),
            redis=self.redis,
            tasks=Component(verdict.status, snapshot.as_of, message),
            llm=self.llm,
        )

    async def look_at_llm(self) -> None:
        """Update the state of the models. It does not wait, but would be too slow for every request."""
        self.llm = self.ask_llm()

    def _application(self, now: datetime) -> Component:
        return Component("degraded", now, "Shutting down.") if self.traffic.draining else Component("healthy", now)

    def not_ready_because(self) -> list[str]:
        """Return why this process is not ready. Empty if it is ready."""
        reasons = ["shutting down"] if self.traffic.draining else []
        return reasons if self.database.status == "healthy" else [*reasons, "database"]

    def _note(self, part: str, status: Status, message: str | None = None) -> None:
        before: Component = getattr(self, part)
        if before.status != status:
            log.info("health_changed", part=part, before=before.status, now=status)
        setattr(self, part, Component(status, _now(), message))
