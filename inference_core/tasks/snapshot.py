"""The snapshot of the workers, and the pure rules that evaluate it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from inference_core.core.queue.worker_state import SILENT_AFTER_MS, WorkerReport

# An older snapshot is stale.
STALE_AFTER_MS = 5_000

WorkerStatus = Literal["online", "stopping", "unresponsive"]
HealthStatus = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """The state of one worker. `silent_ms` is the age of its last heartbeat, by the clock of Redis."""

    name: str
    status: WorkerStatus
    silent_ms: int
    report: WorkerReport


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All workers at one time.

    `queue_depths` is the number of waiting messages in each queue, `queue_ages_s` how long the oldest has waited,
    `tasks_running` the number of tasks that workers hold, and `dead_letters` that of the entries in the dead letter
    queue.
    `results_available` is the state of the result store.
    """

    broker_available: bool
    workers: tuple[WorkerView, ...] = ()
    queue_depths: dict[str, int] = field(default_factory=dict)
    queue_ages_s: dict[str, float] = field(default_factory=dict)
    tasks_running: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    results_available: bool = True
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))
    taken_at_s: float = field(default_factory=time.monotonic)

    def age_ms(self, now_s: float) -> int:
        """Return the age in milliseconds. `now_s` is a time of the monotonic clock."""
        return max(0, round((now_s - self.taken_at_s) * 1000))

    def online(self) -> int:
        """Return the number of workers that run tasks."""
        return sum(worker.status == "online" for worker in self.workers)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The evaluation of a snapshot: a status, a sentence, and the number of `online` workers, which run tasks."""

    status: HealthStatus
    message: str
    online: int = 0


def worker_status(phase: str, silent_ms: int) -> WorkerStatus:
    """Return the state of a worker from its last heartbeat and the age of this heartbeat."""
    # With the monitor's delay of half a second, this is visible within the documented five seconds.
    if silent_ms > SILENT_AFTER_MS:
        return "unresponsive"
    return "stopping" if phase == "stopping" else "online"


def judge(snapshot: Snapshot, age_ms: int) -> Verdict:
    """Return whether workers run tasks, for a snapshot of this age: the rule of `GET /tasks/health`."""
    if snapshot.broker_available and age_ms > STALE_AFTER_MS:
        return Verdict("degraded", f"The worker snapshot is {age_ms / 1000:.0f} s old.", snapshot.online())
    return _judge_fresh(snapshot)


@lru_cache(maxsize=1)
def _judge_fresh(snapshot: Snapshot) -> Verdict:
    # All requests until the next snapshot evaluate the same object, so it is hashed by identity.
    if not snapshot.broker_available:
        return Verdict("unhealthy", "The broker does not respond.")
    online = snapshot.online()
    if not snapshot.results_available:
        return Verdict("unhealthy", "The store of task results does not respond.", online)
    silent = sum(worker.status == "unresponsive" for worker in snapshot.workers)
    note = f" {silent} unresponsive." if silent else ""
    if not online:
        return Verdict("degraded", f"No worker is running.{note}", online)
    return Verdict("healthy", f"{online} worker{'s are' if online > 1 else ' is'} running.{note}", online)
