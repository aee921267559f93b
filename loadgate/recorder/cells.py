"""What is kept per time slot, and how old slots are rolled up so that a day-long run stays small."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from loadgate.recorder.sketch import LatencySketch


class Outcome(StrEnum):
    """How a request ended, as the user class judged it."""

    SUCCESS = "success"
    FAILURE = "failure"
    MEASURE = "measure"
    """No request at all: a duration that a user class measured beside its requests."""


def full_name(name: str, method: str) -> str:
    """The name with the method before it, as in `GET cart`, unless it begins with it."""
    return name if not method or name.startswith(f"{method} ") else f"{method} {name}"


class SeriesKey(NamedTuple):
    """What one series of cells is about.

    `group` is "" for requests of users that belong to no group. `method` is the request's method or type, "" where it
    is not known; requests of one name and different methods are different requests.
    """

    group: str
    name: str
    outcome: Outcome
    stage: str
    method: str = ""

    @property
    def full_name(self) -> str:
        """See `full_name`."""
        return full_name(self.name, self.method)


@dataclass(frozen=True, slots=True)
class RollUp:
    """Cells that began more than `older_than_s` before the newest one are merged into slots of `width_s`."""

    older_than_s: int
    width_s: int


ROLL_UPS = (RollUp(3600, 10), RollUp(4 * 3600, 60))
"""An hour keeps every second, so every run of the usual profiles does; a day with 50 names is about 300,000 cells
instead of 4.3 million. Windows of rules over the older part are judged in steps of the wider slots."""

WIDTHS_S = (1, *(step.width_s for step in ROLL_UPS))


class Cell:
    """The requests of one series that ended within one time slot."""

    __slots__ = ("latency", "response_bytes", "service")

    def __init__(self) -> None:
        self.latency = LatencySketch()
        self.service: LatencySketch | None = None
        self.response_bytes = 0

    def record(self, latency_ms: float | None, response_bytes: int, service_ms: float | None) -> None:
        """Add one request; `service_ms` only when it differs in meaning from the latency (open model)."""
        if latency_ms is None:
            self.latency.untimed += 1
        else:
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


class Slot(NamedTuple):
    """`cell` covers [start_s, start_s + width_s) in whole epoch seconds."""

    start_s: int
    width_s: int
    cell: Cell


class CellSeries:
    """The cells of one series by width and start in epoch seconds, and the sum of all.

    The requests of one second are pending until another one begins or somebody reads, so that recording a request adds
    to one cell alone.
    """

    __slots__ = ("_by_width", "_newest_s", "_pending", "_pending_s", "_rolled_to_s", "_span_s", "_total")

    def __init__(self) -> None:
        self._total = Cell()
        self._by_width: dict[int, dict[int, Cell]] = {width_s: {} for width_s in WIDTHS_S}
        self._pending = Cell()
        self._pending_s = 0
        self._newest_s = 0
        self._span_s: tuple[int, int] | None = None
        self._rolled_to_s = dict.fromkeys(WIDTHS_S, 0)

    def __len__(self) -> int:
        self._flush()
        return sum(map(len, self._by_width.values()))

    @property
    def total(self) -> Cell:
        """All requests of the series. To be read, not changed."""
        self._flush()
        return self._total

    @property
    def span_s(self) -> tuple[int, int] | None:
        """[first, end) of the epoch seconds in which requests ended, or None without any."""
        self._flush()
        return self._span_s

    def record(self, second: int, latency_ms: float | None, response_bytes: int, service_ms: float | None) -> None:
        """Add a request that ended in an epoch second."""
        if second != self._pending_s:
            self._flush()
            self._pending_s = second
        self._pending.record(latency_ms, response_bytes, service_ms)

    def add(self, slot: Slot) -> None:
        """Merge a slot that comes from elsewhere; the cell is copied in."""
        self._total.merge(slot.cell)
        self._put(slot.start_s, slot.width_s, slot.cell)

    def _flush(self) -> None:
        if self._pending.latency.requests:
            cell, self._pending = self._pending, Cell()
            self._total.merge(cell)
            self._put(self._pending_s, 1, cell)

    def _put(self, start_s: int, width_s: int, cell: Cell) -> None:
        """Merge a cell into a slot; a slot that is newer than all rolls up what has become old enough."""
        self._cell(start_s, width_s).merge(cell)
        first_s, end_s = self._span_s or (start_s, start_s + width_s)
        self._span_s = min(first_s, start_s), max(end_s, start_s + width_s)
        if start_s > self._newest_s:
            self._newest_s = start_s
            self._roll_up()

    def slots(self, since_s: int = 0) -> list[Slot]:
        """The slots that start at `since_s` or later, in order of their start."""
        self._flush()
        found = []
        for width_s, cells in self._by_width.items():
            starts: Iterable[int] = cells
            if self._newest_s - since_s < len(cells) * width_s:
                # The last few of many: asked for every second of a run, so their cost must not grow with it.
                starts = range(-(-since_s // width_s) * width_s, self._newest_s + 1, width_s)
            found += [
                Slot(start_s, width_s, cells[start_s]) for start_s in starts if start_s >= since_s and start_s in cells
            ]
        return sorted(found, key=lambda slot: (slot.start_s, slot.width_s))

    def _cell(self, start_s: int, width_s: int) -> Cell:
        cell = self._by_width[width_s].get(start_s)
        if cell is None:
            cell = self._by_width[width_s][start_s] = Cell()
            # A straggler in what was rolled up already has the next round begin with it.
            self._rolled_to_s[width_s] = min(self._rolled_to_s[width_s], start_s)
        return cell

    def _roll_up(self) -> None:
        """Widen what is old enough. Each series does so for itself and bit by bit, so that no pause is felt."""
        narrow_s = 1
        for step in ROLL_UPS:
            limit_s = _limit_s(self._newest_s, step)
            narrow = self._by_width[narrow_s]
            for start_s in self._to_widen(narrow_s, limit_s):
                self._cell(start_s // step.width_s * step.width_s, step.width_s).merge(narrow.pop(start_s))
            narrow_s = step.width_s

    def _to_widen(self, width_s: int, limit_s: int) -> list[int]:
        """The starts of cells before `limit_s`."""
        done_s, cells = self._rolled_to_s[width_s], self._by_width[width_s]
        if limit_s <= done_s:
            return []
        self._rolled_to_s[width_s] = limit_s
        if limit_s - done_s < len(cells):
            return [start_s for start_s in range(done_s, limit_s, width_s) if start_s in cells]
        return [start_s for start_s in cells if start_s < limit_s]


def _limit_s(newest_s: int, step: RollUp) -> int:
    # A slot is closed as a whole or not at all, so that no second is ever split over two widths.
    return (newest_s - step.older_than_s) // step.width_s * step.width_s


def covering(start_s: int, width_s: int, slots: Collection[tuple[int, int]]) -> tuple[int, int]:
    """The widest of `slots`, given as (start, width), that covers this one: itself where none is wider.

    Series are rolled up each for itself, so where a scope joins several, a second may be kept in two widths.
    """
    for step in reversed(ROLL_UPS):
        wider = (start_s // step.width_s * step.width_s, step.width_s)
        if step.width_s > width_s and wider in slots:
            return wider
    return start_s, width_s
