"""The Prometheus metrics of the workers and their queues, from the snapshot of the monitor."""

from __future__ import annotations

from inference_core.core.telemetry.metrics import Metrics
from inference_core.tasks.snapshot import Snapshot


class TaskMetrics:
    """The workers by state, the waiting tasks, their age and the running tasks by queue, and the dead letter queue."""

    def __init__(self, metrics: Metrics) -> None:
        self._up = metrics.up
        self._workers = metrics.gauge("celery_workers", "Workers by state.", "livemax", ("state",))
        self._depth = metrics.gauge("celery_queue_depth", "Waiting messages by queue.", "livemax", ("queue",))
        waited = "Seconds since the oldest waiting message was sent, by queue."
        self._age = metrics.gauge("celery_queue_age_seconds", waited, "livemax", ("queue",))
        held = "Tasks by queue that workers have taken and not finished."
        self._running = metrics.gauge("celery_tasks_running", held, "livemax", ("queue",))
        self._dead_letters = metrics.gauge("celery_tasks_parked", "Entries in the dead letter queue.", "livemax")

    def set(self, snapshot: Snapshot) -> None:
        """Update the gauges."""
        self._up.labels("broker").set(snapshot.broker_available)
        for state in ("online", "stopping", "unresponsive"):
            self._workers.labels(state).set(sum(worker.status == state for worker in snapshot.workers))
        for queue, depth in snapshot.queue_depths.items():
            self._depth.labels(queue).set(depth)
            self._age.labels(queue).set(snapshot.queue_ages_s[queue])
            self._running.labels(queue).set(snapshot.tasks_running[queue])
        self._dead_letters.set(snapshot.dead_letters)
