"""The heartbeats of workers: each worker writes one field of a Redis hash every second, with the time of Redis.

The clock of the server makes the age of an entry the same for every reader.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypedDict

WORKERS_KEY = "workers"
DEAD_LETTERS_KEY = "dead_letters"
BEAT_S = 1.0
# After this time without a heartbeat, a worker is unresponsive, and a new worker can have its name.
SILENT_AFTER_MS = 3_500

WorkerPhase = Literal["running", "stopping"]


class TaskEntry(TypedDict):
    """A task that a worker holds, without its arguments, because they can be personal."""

    id: str
    name: str
    started_at: float | None
    worker_pid: int | None
    eta: str | None


class ReportedState(TypedDict):
    """The state of a worker that every version reports."""

    phase: WorkerPhase
    queues: list[str]
    registered: list[str]
    active: list[TaskEntry]
    reserved: list[TaskEntry]
    scheduled: list[TaskEntry]
    stats: dict[str, Any]


class WorkerReport(ReportedState, total=False):
    """The state that a worker reports. `incarnation` is the identity of its process (`core/queue/incarnation.py`)."""

    incarnation: dict[str, Any]


def encode_report(report: WorkerReport) -> str:
    """Return the report in the form for the script."""
    return json.dumps(report, separators=(",", ":"), default=str)


def decode_entry(value: bytes) -> tuple[int, WorkerReport]:
    """Return the time (milliseconds, by the clock of Redis) and the report in one field of the hash.

    Raises:
        ValueError: No worker of this version wrote the field.
    """
    stamp, _, text = value.partition(b" ")
    report: WorkerReport = json.loads(text)
    if not isinstance(report, dict) or not report.keys() >= WorkerReport.__required_keys__:
        raise ValueError("not the report of a worker")
    return int(stamp), report
