"""The worker's side of the monitor: a timer in its main loop that writes the worker's state to Redis every second.

In the main loop, so that the beat stops when the loop does: a hung worker must not look alive.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import bootsteps, signals
from celery.worker import state as worker_state
from redis import Redis
from redis.exceptions import RedisError

from inference_core.celery.app import ServiceCelery
from inference_core.celery.worker_state import (
    BEAT_S,
    WORKERS_KEY,
    WRITE_SCRIPT,
    TaskEntry,
    WorkerPhase,
    WorkerReport,
    encode_report,
)
from inference_core.settings import Settings

log = logging.getLogger(__name__)


def connect(settings: Settings) -> Redis:
    """A client of the broker that never waits long: the worker's loop stands still meanwhile."""
    return Redis.from_url(
        settings.broker_url,
        socket_connect_timeout=settings.redis_connect_timeout_s,
        socket_timeout=settings.redis_timeout_s,
    )


class Beacon(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery ships no types
    """Consumer step that beats from the moment tasks are consumed until the process ends."""

    requires = ("celery.worker.consumer:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.redis = connect(consumer.app.settings)
        self.timer_entry: Any = None

    def start(self, consumer: Any) -> None:
        """Beat now and every second.

        Runs again after a lost broker connection, with which Celery cancels the timer's entries. A graceful stop
        leaves them, so that a worker that finishes its tasks is still heard.
        """
        if self.timer_entry is not None:
            self.timer_entry.cancel()
        self.beat(consumer)
        self.timer_entry = consumer.timer.call_repeatedly(BEAT_S, self.beat, (consumer,))

    def beat(self, consumer: Any) -> None:
        """Write the state once; an unreachable broker is the consumer's to mend, not this step's."""
        phase: WorkerPhase = "running" if worker_state.should_stop is None else "stopping"
        try:
            write_report(self.redis, consumer.hostname, describe(consumer, phase))
        except RedisError as error:
            log.warning("worker state not written: %s", type(error).__name__)


def write_report(redis: Redis, worker: str, report: WorkerReport) -> None:
    """Store a worker's report, stamped with Redis' time."""
    redis.eval(WRITE_SCRIPT, 1, WORKERS_KEY, worker, encode_report(report))


def describe(consumer: Any, phase: WorkerPhase) -> WorkerReport:
    """What the worker knows about itself at this moment."""
    task_consumer = consumer.task_consumer
    stats = consumer.controller.stats()
    stats.pop("broker", None)  # addresses and credentials
    return {
        "phase": phase,
        "queues": sorted(queue.name for queue in task_consumer.queues) if task_consumer else [],
        "registered": sorted(name for name in consumer.app.tasks if not name.startswith("celery.")),
        "active": [_entry(request) for request in list(worker_state.active_requests)],
        "reserved": [
            _entry(request) for request in set(worker_state.reserved_requests) - set(worker_state.active_requests)
        ],
        "scheduled": [_entry(request) for request in list(worker_state.scheduled_requests)],
        "stats": stats,
    }


def _entry(request: Any) -> TaskEntry:
    info = request.info(safe=True)
    return {
        "id": info["id"],
        "name": info["name"],
        "started_at": info["time_start"],
        "worker_pid": info["worker_pid"],
        "eta": str(request.eta) if request.eta else None,
    }


def install(app: ServiceCelery) -> None:
    """Give the application's workers the beacon, and let them say at once when they stop and when they are gone."""
    app.steps["consumer"].add(Beacon)
    last_report: dict[str, WorkerReport] = {}

    def remember(sender: Any, **_: Any) -> None:
        last_report[sender.hostname] = describe(sender, "stopping")

    def say_stopping(sender: str, **_: Any) -> None:
        # Runs inside the signal handler, which may have interrupted a beat: so with a connection of its own.
        if report := last_report.get(sender):
            _try(app.settings, lambda redis: write_report(redis, sender, report))

    def say_gone(sender: Any, **_: Any) -> None:
        _try(app.settings, lambda redis: redis.hdel(WORKERS_KEY, sender.hostname))

    signals.worker_ready.connect(remember, weak=False)
    signals.worker_shutting_down.connect(say_stopping, weak=False)
    signals.worker_shutdown.connect(say_gone, weak=False)


def _try(settings: Settings, action: Callable[[Redis], object]) -> None:
    try:
        with connect(settings) as redis:
            action(redis)
    except RedisError as error:
        log.warning("worker state not written: %s", type(error).__name__)
