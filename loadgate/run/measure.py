"""A duration that a user class measures beside its requests, such as the time to the first event of a stream."""

from __future__ import annotations

from typing import NamedTuple


class Measure(NamedTuple):
    """`value_ms` was measured at `at_s` (epoch seconds); it is judged under its name and its group, "" for none."""

    name: str
    group: str
    value_ms: float
    at_s: float
