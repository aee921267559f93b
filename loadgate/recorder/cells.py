"""The data of each time slot. Old slots are merged into wider ones to bound the memory of long runs."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from loadgate.recorder.sketch import LatencySketch


class Outcome(StrEnum):
    """Whether a request succeeded or failed, as its user class decided."""

    SUCCESS = "success"
    FAILURE = "failure"
    MEASURE = "measure"
    """Not a request, but a duration that a user class measured."""


def full_name(name: str, method: str) -> str:
    """Return the method and the name, as in `GET cart`. A name that starts with the method is unchanged."""
    return name if not method or name.startswith(f"{method} ") else f"{method} {name}"


class SeriesKey(NamedTuple):
    """The key of a series of cells.

    `group` is "" for requests of users without a group. `method` is the request's method or type, "" if it is unknown.
    Requests with the same name and different methods are different requests.
    """

    group: str
    name: str
    outcome: Outcome
    stage: str
    method: str = ""

    @property
    def full_name(self) -> str:
        """Return the method and the name."""
        return full_name(self.name, self.method)


@dataclass(frozen=True, slots=True)
class RollUp:
    """A step that merges cells into slots of `width_s` if they are more than `older_than_s` older than the newest."""

    older_than_s: int
    width_s: int


ROLL_UPS = (RollUp(3600, 10), RollUp(4 * 3600, 60))
"""The last hour has one cell per second. A run of a day with 50 names has about 300,000 cells instead of 4.3 million.
In the older part, the windows of rules move in steps of the wider slots."""

WIDTHS_S = (1, *(step.width_s for step in ROLL_UPS))


class Cell:
    """The requests of one series that ended in one time slot."""

    __slots__ = ("latency", "response_bytes", "service")

    def __init__(self) -> None:
        self.latency = LatencySketch()
        self.service: LatencySketch | None = None
        self.response_bytes = 0

    def record(self, latency_ms: float | None, response_bytes: int, service_ms: float | None) -> None:
        """Add one request. `service_ms` is given only in an open model."""
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
    """A cell for [start_s, start_s + width_s), in whole epoch seconds."""

    start_s: int
    width_s: int
    cell: Cell


class CellSeries:
    """The cells of one series by width and start, in epoch seconds, and their total.

    The requests of the current second are kept in a pending cell until the next second or the next read. `record`
    therefore updates only one cell.
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
        """Return the total of the series, for reading only."""
        self._flush()
        return self._total

    @property
    def span_s(self) -> tuple[int, int] | None:
        """Return [first, end) of the epoch seconds in which requests ended. None without requests."""
        self._flush()
        return self._span_s

    def record(self, second: int, latency_ms: float | None, response_bytes: int, service_ms: float | None) -> None:
        """Add a request that ended in the epoch second `second`."""
        if second != self._pending_s:
            self._flush()
            self._pending_s = second
        self._pending.record(latency_ms, response_bytes, service_ms)

    def add(self, slot: Slot) -> None:
        """Merge a copy of a slot of another recorder."""
        self._total.merge(slot.cell)
        self._put(slot.start_s, slot.width_s, slot.cell)

    def _flush(self) -> None:
        if self._pending.latency.requests:
            cell, self._pending = self._pending, Cell()
            self._total.merge(cell)
            self._put(self._pending_s, 1, cell)

    def _put(self, start_s: int, width_s: int, cell: Cell) -> None:
        """Merge a cell into a slot. If the slot is the latest so far, also merge cells that are now old enough."""
        self._cell(start_s, width_s).merge(cell)
        first_s, end_s = self._span_s or (start_s, start_s + width_s)
        self._span_s = min(first_s, start_s), max(end_s, start_s + width_s)
        if start_s > self._newest_s:
            self._newest_s = start_s
            self._roll_up()

    def slots(self, since_s: int = 0) -> list[Slot]:
        """Return the slots that start at `since_s` or later, ordered by their start."""
        self._flush()
        found = []
        for width_s, cells in self._by_width.items():
            starts: Iterable[int] = cells
            if self._newest_s - since_s < len(cells) * width_s:
                # Fast path for the latest slots: this is called every second, so its cost must not grow with the run.
                starts = range(-(-since_s // width_s) * width_s, self._newest_s + 1, width_s)
            found += [
                Slot(start_s, width_s, cells[start_s]) for start_s in starts if start_s >= since_s and start_s in cells
            ]
        return sorted(found, key=itemgetter(0, 1))

    def _cell(self, start_s: int, width_s: int) -> Cell:
        cell = self._by_width[width_s].get(start_s)
        if cell is None:
            cell = self._by_width[width_s][start_s] = Cell()
            # A late report can add a cell to the merged part. The next merge then starts at this cell.
            self._rolled_to_s[width_s] = min(self._rolled_to_s[width_s], start_s)
        return cell

    def _roll_up(self) -> None:
        """Merge old cells into wider slots. Each series does this in small steps, to avoid a stall."""
        narrow_s = 1
        for step in ROLL_UPS:
            # Only complete wide slots are merged, so that each second belongs to one slot only.
            limit_s = (self._newest_s - step.older_than_s) // step.width_s * step.width_s
            narrow = self._by_width[narrow_s]
            for start_s in self._to_widen(narrow_s, limit_s):
                self._cell(start_s // step.width_s * step.width_s, step.width_s).merge(narrow.pop(start_s))
            narrow_s = step.width_s

    def _to_widen(self, width_s: int, limit_s: int) -> list[int]:
        """Return the starts of the cells before `limit_s` that are not merged yet."""
        done_s, cells = self._rolled_to_s[width_s], self._by_width[width_s]
        if limit_s <= done_s:
            return []
        self._rolled_to_s[width_s] = limit_s
        if limit_s - done_s < len(cells):
            return [start_s for start_s in range(done_s, limit_s, width_s) if start_s in cells]
        return [start_s for start_s in cells if start_s < limit_s]


def covering(start_s: int, width_s: int, slots: Collection[tuple[int, int]]) -> tuple[int, int]:
    """Return the widest of `slots`, as (start, width), that covers the given one, or the given one itself.

    Each series merges its own old slots. In a scope with several series, a second can belong to slots of two widths.
    """
    for step in reversed(ROLL_UPS):
        wider = (start_s // step.width_s * step.width_s, step.width_s)
        if step.width_s > width_s and wider in slots:
            return wider
    return start_s, width_s
