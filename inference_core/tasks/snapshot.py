"""The picture of the workers at one moment, and the pure rules that judge it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from inference_core.celery.worker_state import WorkerReport

# A worker beats every second. Silent for longer than this it is unresponsive, which with the monitor's own
# half second of delay keeps the promise of five seconds with one to spare.
UNRESPONSIVE_AFTER_MS = 3_500
# A picture older than this is not one to act on.
STALE_AFTER_MS = 5_000

WorkerStatus = Literal["online", "stopping", "unresponsive"]
HealthStatus = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker as the monitor sees it; `silent_ms` is how long ago it last spoke, by Redis' clock."""

    name: str
    status: WorkerStatus
    silent_ms: int
    report: WorkerReport


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All workers at one moment; `queue_depths` counts the messages that wait
    in each queue, `parked` the tasks set aside. `results_available` is about the store of results."""

    broker_available: bool
    workers: tuple[WorkerView, ...] = ()
    queue_depths: dict[str, int] = field(default_factory=dict)
    parked: int = 0
    results_available: bool = True
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))
    taken_at_s: float = field(default_factory=time.monotonic)

    def age_ms(self, now_s: float) -> int:
        """Milliseconds since it was taken; `now_s` by the monotonic clock."""
        return max(0, round((now_s - self.taken_at_s) * 1000))

    def online(self) -> int:
        """How many workers take tasks."""
        return sum(worker.status == "online" for worker in self.workers)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a snapshot means, in one word and one sentence; `online` workers take tasks."""

    status: HealthStatus
    message: str
    online: int = 0


def worker_status(phase: str, silent_ms: int) -> WorkerStatus:
    """How a worker stands, by its last word and how long ago that was."""
    if silent_ms > UNRESPONSIVE_AFTER_MS:
        return "unresponsive"
    return "stopping" if phase == "stopping" else "online"


def judge(snapshot: Snapshot, age_ms: int) -> Verdict:
    """Whether tasks are being taken, by a picture of that age: the rule of `GET /tasks/health`."""
    if snapshot.broker_available and age_ms > STALE_AFTER_MS:
        return Verdict("degraded", f"The worker snapshot is {age_ms / 1000:.0f} s old.", snapshot.online())
    return _judge_fresh(snapshot)


@lru_cache(maxsize=1)
def _judge_fresh(snapshot: Snapshot) -> Verdict:
    # One picture is judged for every request until the next; it is the same object, so it hashes by identity.
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
