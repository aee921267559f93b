"""The values that the sampler measures, and the pipe to which it writes them as JSON lines.

- `{"second": 1795900000, "values": [["api", "memory", "level", "bytes", 1048576], ...]}`: values of an epoch second
- `{"note": "..."}`: a sentence on something that cannot be measured
- `{"done": "collect"}`: the command `collect` was carried out
- `{"cpu_share": 0.002}`: the last line, with the CPU time of the sampler as a share of one core
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

LEVEL, FLOW = "level", "flow"
BYTES, SECONDS, COUNT = "bytes", "s", "count"

MAX_NOTES = 50


class Reading(NamedTuple):
    """A value of a quantity. A level is the value at one moment, and a flow is an amount per second."""

    resource: str
    quantity: str
    kind: str
    unit: str
    value: float


class Output:
    """Writes lines to a pipe. Several threads can use it."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._notes: set[str] = set()

    def put(self, second: int, readings: Iterable[Reading]) -> None:
        """Write the values of an epoch second."""
        if values := list(readings):
            self._write({"second": second, "values": values})

    def note(self, text: str) -> None:
        """Write a note, but each text only once, and no more than MAX_NOTES."""
        with self._lock:
            if text in self._notes or len(self._notes) >= MAX_NOTES:
                return
            self._notes.add(text)
        self._write({"note": text})

    def done(self, command: str) -> None:
        """Write that a command was carried out."""
        self._write({"done": command})

    def end(self, cpu_share: float) -> None:
        """Write the last line."""
        self._write({"cpu_share": cpu_share})

    def _write(self, line: dict[str, Any]) -> None:
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._pipe, data) :]
