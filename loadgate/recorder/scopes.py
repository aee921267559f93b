"""Scopes, and the totals of a scope for a whole run or for a time slot."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from loadgate.recorder.cells import Cell, Outcome
from loadgate.recorder.sketch import LatencySketch

OVERALL = "overall"
"""The scope of all requests."""


STEADY = "steady"
"""The stage of requests that started after the ramp, while the load was that of the profile."""

RAMP = "ramp"

OUTSIDE = "outside"
"""The stage of requests outside the load: requests of an open model before the first arrival, and requests after the
users were told to stop."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The requests of a scope: latencies by outcome, and received bytes. An addition returns a new object."""

    success: LatencySketch = field(default_factory=LatencySketch)
    failure: LatencySketch = field(default_factory=LatencySketch)
    response_bytes: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals.sum((self, other))

    @classmethod
    def sum(cls, parts: Iterable["Totals"]) -> Self:
        """Return the sum of several totals."""
        success, failure, response_bytes = LatencySketch(), LatencySketch(), 0
        for part in parts:
            success.merge(part.success)
            failure.merge(part.failure)
            response_bytes += part.response_bytes
        return cls(success, failure, response_bytes)

    @property
    def requests(self) -> int:
        """Return the number of successful and failed requests."""
        return self.success.requests + self.failure.requests

    @property
    def failures(self) -> int:
        """Return the number of failed requests, with and without a latency."""
        return self.failure.requests


class RequestName(NamedTuple):
    """The scope of one request name, within one group or, with None, in all groups."""

    name: str
    group: str | None = None


Scope = str | RequestName
"""A text is `overall`, a group, or a request name if no group has that name. RequestName is always a request name.

Measures have names and groups like requests. A scope that has both consists of its requests. `overall` never includes
measures.
"""


class TimeSlot(NamedTuple):
    """The requests of a scope that ended in [start_s, start_s + width_s), in epoch seconds."""

    start_s: int
    width_s: int
    totals: Totals


def sum_cells(cells: Iterable[tuple[Outcome, Cell]]) -> Totals:
    """Return the sum of cells. Measures count as successes."""
    success, failure, response_bytes = LatencySketch(), LatencySketch(), 0
    for outcome, cell in cells:
        (failure if outcome is Outcome.FAILURE else success).merge(cell.latency)
        response_bytes += cell.response_bytes
    return Totals(success, failure, response_bytes)
