"""A duration that a user class measures in addition to its requests, such as the time to the first event."""

from __future__ import annotations

from typing import NamedTuple


class Measure(NamedTuple):
    """A duration, measured at `at_s` (epoch seconds). Rules read it by its name or its group ("" for none)."""

    name: str
    group: str
    value_ms: float
    at_s: float
