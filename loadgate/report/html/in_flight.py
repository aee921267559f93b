"""The mean number of requests in flight in each slot of a grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from loadgate.recorder import LatencySketch
from loadgate.report.html.grid import Grid
from loadgate.run.document import InFlightRecord

_NS_PER_S = 1_000_000_000


class TimesInFlight:
    """The nanoseconds in flight of each request name by slot of a grid."""

    def __init__(self, records: Iterable[InFlightRecord], grid: Grid) -> None:
        self._grid = grid
        self._by_name: dict[tuple[str, str], Counter[int]] = {}
        for record in records:
            times = self._by_name.setdefault((record.group, record.name), Counter())
            for start_s, _, nanoseconds in record.slots():
                times[int((start_s - grid.start_s) // grid.width_s)] += nanoseconds

    def add(self, group: str, name: str, outcomes: Iterable[Mapping[int, LatencySketch]]) -> None:
        """Add the latencies of a name by slot, one mapping for each outcome."""
        times = self._by_name.setdefault((group, name), Counter())
        for slots in outcomes:
            for slot, sketch in slots.items():
                times[slot] += sketch.sum_ns

    def of(self, group: str | None = None, name: str | None = None) -> list[float]:
        """Return the mean number of requests in flight in each slot, of a name, of a group, or of all requests."""
        sums = [0] * self._grid.count
        for (its_group, its_name), times in self._by_name.items():
            if group in {None, its_group} and name in {None, its_name}:
                for slot, nanoseconds in times.items():
                    # A request can have been in flight before the first slot.
                    if 0 <= slot < len(sums):
                        sums[slot] += nanoseconds
        return [max(0, nanoseconds) / _NS_PER_S / self._grid.width_s for nanoseconds in sums]
