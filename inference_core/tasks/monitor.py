"""The monitor of an API process: a background task that reads the heartbeats of the workers twice a second.

A read is one bounded round trip and independent of earlier ones, so an outage of the broker has no later effects.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from redis.asyncio import Redis
from redis.exceptions import RedisError

from inference_core.core.background import run_until_cancelled
from inference_core.core.loggers import get_logger
from inference_core.core.queue.worker_state import DEAD_LETTERS_KEY, WORKERS_KEY, decode_entry
from inference_core.core.redis.client import open_client
from inference_core.core.settings import Settings
from inference_core.tasks.ages import QueueAges
from inference_core.tasks.running import TAKEN_KEY, RunningTasks
from inference_core.tasks.snapshot import Snapshot, WorkerView, worker_status

log = get_logger(__name__)

READ_EVERY_S = 0.5
CONNECTIONS = 4
# A single slow reply is not an outage, but this much silence is.
BROKER_LOST_AFTER_S = 2.0
# A crashed worker is listed as unresponsive for this long. Then it is removed from the list and logged.
FORGET_AFTER_MS = 3_600_000


@dataclass(slots=True)
class WorkerMonitor:
    """The monitor updates `snapshot`. Reading it has no cost and never waits."""

    redis: Redis
    results: Redis  # the result store, which usually is the broker too
    queues: tuple[str, ...]
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(broker_available=False))
    last_answer_s: float = float("-inf")
    last_results_s: float = float("-inf")
    running: RunningTasks = field(init=False)
    ages: QueueAges = field(init=False)

    def __post_init__(self) -> None:
        self.running = RunningTasks(self.redis)
        self.ages = QueueAges(self.redis)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, queues: tuple[str, ...]) -> AsyncIterator[WorkerMonitor]:
        """Take the first snapshot, then update it until the context ends."""
        async with (
            open_client(settings, settings.broker_url, connections=CONNECTIONS, retries=0) as broker,
            open_client(settings, settings.result_backend, connections=CONNECTIONS, retries=0) as results,
        ):
            monitor = cls(broker, results, queues)
            await monitor.probe_results()
            await monitor.poll()
            async with (
                run_until_cancelled(monitor.poll, every_s=READ_EVERY_S, name="worker_monitor"),
                run_until_cancelled(monitor.probe_results, every_s=READ_EVERY_S, name="result_store_monitor"),
            ):
                yield monitor

    async def probe_results(self) -> None:
        """Probe the result store."""
        with suppress(RedisError, OSError):
            await self.results.ping()
            self.last_results_s = time.monotonic()

    async def poll(self) -> None:
        """Take a snapshot. Without a response from Redis, it contains the last known workers."""
        try:
            now, entries, dead_letters, depths, running = await self._read()
            ages = await self.ages.read(self.queues)
        except (RedisError, OSError) as error:
            if time.monotonic() - self.last_answer_s > BROKER_LOST_AFTER_S and self.snapshot.broker_available:
                log.warning("broker_lost", error=type(error).__name__)
                self.snapshot = Snapshot(broker_available=False, workers=silence(self.snapshot.workers))
            elif not self.snapshot.broker_available:
                self.snapshot = Snapshot(broker_available=False, workers=self.snapshot.workers)
            return
        self.last_answer_s = time.monotonic()
        if not self.snapshot.broker_available:
            log.info("broker_found")
        workers = [view for name, value in sorted(entries.items()) if (view := view_of(name, value, now))]
        forgotten = [view.name for view in workers if view.silent_ms > FORGET_AFTER_MS]
        if forgotten:
            log.warning("workers_forgotten", workers=forgotten)
            await self.redis.hdel(WORKERS_KEY, *forgotten)
        self.snapshot = Snapshot(
            broker_available=True,
            workers=tuple(view for view in workers if view.name not in forgotten),
            dead_letters=dead_letters,
            results_available=time.monotonic() - self.last_results_s < BROKER_LOST_AFTER_S,
            queue_depths=depths,
            queue_ages_s=ages,
            tasks_running=running,
        )

    async def _read(self) -> tuple[tuple[int, int], dict[bytes, bytes], int, dict[str, int], dict[str, int]]:
        # One step, so that a message that a worker takes meanwhile is counted once.
        pipeline = self.redis.pipeline(transaction=True)
        pipeline.time()
        pipeline.hgetall(WORKERS_KEY)
        pipeline.llen(DEAD_LETTERS_KEY)
        pipeline.hkeys(TAKEN_KEY)
        for queue in self.queues:
            pipeline.llen(queue)
        now, entries, dead_letters, tags, *lengths = await pipeline.execute()
        depths = dict(zip(self.queues, lengths, strict=True))
        return now, entries, dead_letters, depths, await self.running.count(tags, depths)


def view_of(name: bytes, value: bytes, now: tuple[int, int]) -> WorkerView | None:
    """Return one entry of the hash as a view. If no worker of this version wrote it, log it and return None.

    Args:
        name: The name of the worker.
        value: The entry.
        now: The time of Redis: seconds and microseconds.
    """
    try:
        stamp_ms, report = decode_entry(value)
    except ValueError as error:
        log.warning("worker_entry_unreadable", worker=name.decode(errors="replace"), error=str(error))
        return None
    silent_ms = max(0, now[0] * 1000 + now[1] // 1000 - stamp_ms)
    return WorkerView(name.decode(), worker_status(report["phase"], silent_ms), silent_ms, report)


def silence(workers: tuple[WorkerView, ...]) -> tuple[WorkerView, ...]:
    """Return the same workers, all of them without heartbeats."""
    return tuple(replace(worker, status="unresponsive") for worker in workers)
