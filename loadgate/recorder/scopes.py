"""What may be asked of a record, and the form of the answers: scopes, their totals, and those of a stretch of time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from loadgate.recorder.cells import Cell, Outcome
from loadgate.recorder.sketch import LatencySketch

OVERALL = "overall"
"""The scope of all requests."""


@dataclass(frozen=True, slots=True)
class Totals:
    """All requests of a scope: latencies by outcome, and bytes received. Adding two changes neither."""

    success: LatencySketch = field(default_factory=LatencySketch)
    failure: LatencySketch = field(default_factory=LatencySketch)
    response_bytes: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals.sum((self, other))

    @classmethod
    def sum(cls, parts: Iterable["Totals"]) -> Self:
        """All requests of the parts, with one pass over each."""
        success, failure, response_bytes = LatencySketch(), LatencySketch(), 0
        for part in parts:
            success.merge(part.success)
            failure.merge(part.failure)
            response_bytes += part.response_bytes
        return cls(success, failure, response_bytes)

    @property
    def requests(self) -> int:
        """Requests of either outcome."""
        return self.success.requests + self.failure.requests

    @property
    def failures(self) -> int:
        """Failed requests, with and without a latency."""
        return self.failure.requests


class RequestName(NamedTuple):
    """A scope of one request name, as the recorder shows it, within one group or (None) whatever the group."""

    name: str
    group: str | None = None


Scope = str | RequestName
"""`overall`, a group, or a request name where no group has that text; RequestName says exactly which.

Measures have names and groups as requests do. A scope with both holds its requests; `overall` never holds a measure.
"""


class TimeSlot(NamedTuple):
    """All requests of a scope that ended in [start_s, start_s + width_s), epoch seconds."""

    start_s: int
    width_s: int
    totals: Totals


def sum_cells(cells: Iterable[tuple[Outcome, Cell]]) -> Totals:
    """Add up cells; measures count as successes do."""
    success, failure, response_bytes = LatencySketch(), LatencySketch(), 0
    for outcome, cell in cells:
        (failure if outcome is Outcome.FAILURE else success).merge(cell.latency)
        response_bytes += cell.response_bytes
    return Totals(success, failure, response_bytes)
