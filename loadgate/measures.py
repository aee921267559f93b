"""Measures: durations that a user class takes beside its requests, such as the time to the first event of a stream.

The hook lies between the users, who know of no gate, and the gate of the process, which records what they measured.
"""

from __future__ import annotations

from typing import NamedTuple

from locust.event import EventHook


class Measure(NamedTuple):
    """`value_ms` was measured at `at_s` (epoch seconds); it is judged under its name and its group, "" for none."""

    name: str
    group: str
    value_ms: float
    at_s: float


measured = EventHook()  # type: ignore[no-untyped-call]
"""Fired with `measure=` for every measure."""
