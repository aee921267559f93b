"""How workers say that they live: each writes one field of a Redis hash every second, stamped by Redis' own clock.

The clock is the server's, so the age of an entry means the same to every reader whatever the time on its machine.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypedDict

WORKERS_KEY = "workers"
DEAD_LETTERS_KEY = "dead_letters"
BEAT_S = 1.0

WorkerPhase = Literal["running", "stopping"]

# KEYS[1] the hash; ARGV[1] the worker's name, ARGV[2] its state as JSON. The stamp is in milliseconds.
# Gives Redis' time as TIME does: seconds and microseconds.
WRITE_SCRIPT = """
local now = redis.call('TIME')
local stamp = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', stamp) .. ' ' .. ARGV[2])
return now
"""


class TaskEntry(TypedDict):
    """A task in a worker's hands. Its arguments stay out: they may be personal, and anybody may ask."""

    id: str
    name: str
    started_at: float | None
    worker_pid: int | None
    eta: str | None


class WorkerReport(TypedDict):
    """What a worker writes about itself."""

    phase: WorkerPhase
    queues: list[str]
    registered: list[str]
    active: list[TaskEntry]
    reserved: list[TaskEntry]
    scheduled: list[TaskEntry]
    stats: dict[str, Any]


def encode_report(report: WorkerReport) -> str:
    """The report as the script takes it."""
    return json.dumps(report, separators=(",", ":"), default=str)


def decode_entry(value: bytes) -> tuple[int, WorkerReport]:
    """The stamp (milliseconds by Redis' clock) and the report of one field of the hash.

    Raises:
        ValueError: if the field is not one a worker of this version wrote.
    """
    stamp, _, text = value.partition(b" ")
    report: WorkerReport = json.loads(text)
    if not isinstance(report, dict) or not report.keys() >= WorkerReport.__required_keys__:
        raise ValueError("not a worker's report")
    return int(stamp), report
