"""The heartbeat of a worker: a timer in its main loop that writes the worker's state to Redis every second.

The timer is in the main loop so that a worker whose loop hangs also stops the heartbeat. A worker that is stopping has
no loop, so a thread writes the heartbeat until the process ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from celery import bootsteps, signals
from celery.platforms import EX_FAILURE
from celery.worker import state as worker_state
from redis import Redis
from redis.exceptions import RedisError

from inference_core.core.queue.app import ServiceCelery
from inference_core.core.queue.worker_name import NameTakenError
from inference_core.core.queue.worker_state import (
    BEAT_S,
    SILENT_AFTER_MS,
    WORKERS_KEY,
    TaskEntry,
    WorkerPhase,
    WorkerReport,
    encode_report,
)
from inference_core.core.redis.client import broker_client
from inference_core.core.redis.scripts import sync_script
from inference_core.core.settings import Settings

log = logging.getLogger(__name__)

PACKAGE = "inference_core.core.queue"
# Tokens and deadlines tolerate this skew.
SKEW_WARNED_S = 10.0


class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery ships no types
    """A consumer step that writes the heartbeat from the start of the consumer until the process ends."""

    requires = ("celery.worker.consumer:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.redis = broker_client(consumer.app.settings)
        self.timer_entry: Any = None
        self.skew_was_logged = False

    def start(self, consumer: Any) -> None:
        """Write the heartbeat now and every second.

        Celery calls this again after a lost broker connection, which cancels the timer. A graceful stop keeps the
        timer, so a worker that finishes its tasks still has a heartbeat.
        """
        if self.timer_entry is not None:
            self.timer_entry.cancel()
        self.beat(consumer)
        self.timer_entry = consumer.timer.call_repeatedly(BEAT_S, self.beat, (consumer,))

    def beat(self, consumer: Any) -> None:
        """Write the state once. If the broker is unreachable, the consumer reconnects."""
        phase: WorkerPhase = "running" if worker_state.should_stop is None else "stopping"
        consumer.last_report = describe(consumer, phase)
        try:
            redis_time = write_report(self.redis, consumer.hostname, consumer.last_report)
        except RedisError as error:
            log.warning("worker state not written: %s", type(error).__name__)
            return
        except NameTakenError as error:
            log.error("%s", error)  # noqa: TRY400  # the traceback has no further information
            worker_state.should_stop = EX_FAILURE
            return
        self.log_skew(consumer.app.measure_skew(redis_time))

    def log_skew(self, skew_s: float) -> None:
        """Log a wrong clock once, until it is correct again."""
        is_wrong = abs(skew_s) > SKEW_WARNED_S
        if is_wrong and not self.skew_was_logged:
            relation = "ahead of" if skew_s > 0 else "behind"
            log.warning("the clock of this machine is %.0f s %s the clock of Redis; check NTP", abs(skew_s), relation)
        self.skew_was_logged = is_wrong


def write_report(redis: Redis, worker: str, report: WorkerReport) -> list[bytes]:
    """Store a worker's report with the time of Redis. Return this time as seconds and microseconds.

    Raises:
        NameTakenError: Another worker has the name, because this one was silent for too long or started later.
    """
    write = sync_script(redis, PACKAGE, "write_heartbeat")
    token = report.get("incarnation", {}).get("token", "")
    *redis_time, is_written = cast(
        "list[Any]", write([WORKERS_KEY], [worker, encode_report(report), token, SILENT_AFTER_MS])
    )
    if not is_written:
        raise NameTakenError(f"another worker {worker} is running, so this one stops; give each worker its own name")
    return redis_time


def describe(consumer: Any, phase: WorkerPhase) -> WorkerReport:
    """Return the current state of the worker."""
    task_consumer = consumer.task_consumer
    stats = consumer.controller.stats()
    stats.pop("broker", None)  # without addresses and credentials
    skew_s = consumer.app.clock_skew_s
    incarnation = consumer.app.incarnation
    stats["clock_skew_s"] = None if skew_s is None else round(skew_s, 1)
    return {
        "phase": phase,
        "queues": sorted(queue.name for queue in task_consumer.queues) if task_consumer else [],
        "registered": sorted(name for name in consumer.app.tasks if not name.startswith("celery.")),
        "active": _active(),
        "reserved": [
            _entry(request) for request in set(worker_state.reserved_requests) - set(worker_state.active_requests)
        ],
        "scheduled": [_entry(request) for request in list(worker_state.scheduled_requests)],
        "stats": stats,
        "incarnation": incarnation.as_dict() if incarnation else {},
    }


def _active() -> list[TaskEntry]:
    return [_entry(request) for request in list(worker_state.active_requests)]


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
    """Install the heartbeat in the application's workers.

    They also report immediately that they stop or have stopped.
    """
    app.steps["consumer"].add(Heartbeat)
    consumers: dict[str, Any] = {}
    stop_heartbeat = StopHeartbeat(app.settings)

    def remember(sender: Any, **_: Any) -> None:
        consumers[sender.hostname] = sender

    def report_stopping(sender: str, **_: Any) -> None:
        if consumer := consumers.get(sender):
            stop_heartbeat.begin(sender, consumer.last_report)

    def report_stopped(sender: Any, **_: Any) -> None:
        stop_heartbeat.end()
        if app.incarnation is not None:
            forgotten = [sender.hostname, app.incarnation.token]
            _try(app.settings, lambda redis: sync_script(redis, PACKAGE, "forget_worker")([WORKERS_KEY], forgotten))

    signals.worker_ready.connect(remember, weak=False)
    signals.worker_shutting_down.connect(report_stopping, weak=False)
    signals.worker_shutdown.connect(report_stopped, weak=False)


class StopHeartbeat:
    """The heartbeat of a stopping worker, in a thread with its own connection. A signal handler starts it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.over = threading.Event()
        self.thread: threading.Thread | None = None

    def begin(self, worker: str, report: WorkerReport) -> None:
        """Report now and every second that `worker` is stopping. A second signal changes nothing."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._beat, args=(worker, report), name="stop_heartbeat", daemon=True)
            self.thread.start()

    def end(self) -> None:
        """Stop the heartbeat."""
        self.over.set()
        if self.thread is not None:
            self.thread.join()

    def _beat(self, worker: str, report: WorkerReport) -> None:
        report = {**report, "phase": "stopping"}
        while not self.over.is_set():
            with suppress(RuntimeError):  # the main thread changed the set meanwhile; the next heartbeat includes it
                report["active"] = _active()
            with suppress(NameTakenError):  # the successor of this worker has started
                _try(self.settings, lambda redis: write_report(redis, worker, report))
            self.over.wait(BEAT_S)


def _try(settings: Settings, action: Callable[[Redis], object]) -> None:
    try:
        with broker_client(settings) as redis:
            action(redis)
    except RedisError as error:
        log.warning("worker state not written: %s", type(error).__name__)
