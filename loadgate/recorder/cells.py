"""What is kept per time slot, and how old slots are rolled up so that a day-long run stays small."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from loadgate.recorder.sketch import LatencySketch


class Outcome(StrEnum):
    """How a request ended, as the user class judged it."""

    SUCCESS = "success"
    FAILURE = "failure"


class SeriesKey(NamedTuple):
    """What one series of cells is about. `group` is "" for requests of users that belong to no group."""

    group: str
    name: str
    outcome: Outcome
    stage: str


@dataclass(frozen=True, slots=True)
class RollUp:
    """Cells that ended more than `older_than_s` before the newest one are merged into slots of `width_s`."""

    older_than_s: int
    width_s: int


ROLL_UPS = (RollUp(4 * 3600, 60), RollUp(3600, 10))
"""Coarsest first. An hour keeps every second, so every run of the usual profiles does; a day with 50 names is about
300,000 cells instead of 4.3 million. Windows of rules over the older part are judged in steps of the wider slots."""


class Cell:
    """The requests of one series that ended within one time slot."""

    __slots__ = ("latency", "response_bytes", "service")

    def __init__(self) -> None:
        self.latency = LatencySketch()
        self.service: LatencySketch | None = None
        self.response_bytes = 0

    def record(self, latency_ms: float, response_bytes: int, service_ms: float | None) -> None:
        """Add one request; `service_ms` only when it differs in meaning from the latency (open model)."""
        self.latency.record(latency_ms)
        self.response_bytes += response_bytes
        if service_ms is not None:
            if self.service is None:
                self.service = LatencySketch()
            self.service.record(service_ms)

    def merge(self, other: "Cell") -> None:
        """Add all requests of `other`."""
        self.latency.merge(other.latency)
        self.response_bytes += other.response_bytes
        if other.service is not None:
            if self.service is None:
                self.service = LatencySketch()
            self.service.merge(other.service)

    def to_json(self) -> dict[str, Any]:
        """The sketch's compact form with `bytes`, and `service` where service times were kept."""
        data = self.latency.to_json() | {"bytes": self.response_bytes}
        if self.service is not None:
            data["service"] = self.service.to_json()
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Cell":
        """The cell that `to_json` described."""
        cell = cls()
        cell.latency = LatencySketch.from_json(data)
        cell.response_bytes = data["bytes"]
        if "service" in data:
            cell.service = LatencySketch.from_json(data["service"])
        return cell


class Slot(NamedTuple):
    """`cell` covers [start_s, start_s + width_s) in whole epoch seconds."""

    start_s: int
    width_s: int
    cell: Cell


class CellSeries:
    """The cells of one series: `seconds` by epoch second, `older` by (start, width) where rolled up, `total` of all."""

    __slots__ = ("older", "seconds", "total")

    def __init__(self) -> None:
        self.total = Cell()
        self.seconds: dict[int, Cell] = {}
        self.older: dict[tuple[int, int], Cell] = {}

    def add(self, slot: Slot) -> None:
        """Merge a slot that comes from elsewhere; the cell is copied in."""
        self.total.merge(slot.cell)
        if slot.width_s == 1:
            self.seconds.setdefault(slot.start_s, Cell()).merge(slot.cell)
        else:
            self.older.setdefault((slot.start_s, slot.width_s), Cell()).merge(slot.cell)

    def slots(self, since_s: int = 0) -> Iterator[Slot]:
        """The slots that start at `since_s` or later, in order of their start."""
        wide = [Slot(start_s, width_s, cell) for (start_s, width_s), cell in self.older.items() if start_s >= since_s]
        narrow = [Slot(second, 1, cell) for second, cell in self.seconds.items() if second >= since_s]
        yield from sorted(wide + narrow, key=lambda slot: (slot.start_s, slot.width_s))

    def roll_up(self, newest_s: int) -> None:
        """Merge what is old enough, as seen from `newest_s`, into the wider slots of ROLL_UPS."""
        for step in ROLL_UPS:
            # A slot is closed as a whole or not at all, so that no second is ever split over two widths.
            limit_s = (newest_s - step.older_than_s) // step.width_s * step.width_s
            for second in [second for second in self.seconds if second < limit_s]:
                self._widen(second, step.width_s, self.seconds.pop(second))
            for start_s, width_s in [key for key in self.older if key[0] < limit_s and key[1] < step.width_s]:
                self._widen(start_s, step.width_s, self.older.pop((start_s, width_s)))

    def _widen(self, start_s: int, width_s: int, cell: Cell) -> None:
        self.older.setdefault((start_s // width_s * width_s, width_s), Cell()).merge(cell)
