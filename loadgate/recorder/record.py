"""The record of a run: series of cells, times in flight, errors and the slowest requests, and the queries on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from heapq import nlargest

from loadgate.recorder.cells import Cell, CellSeries, Outcome, SeriesKey, covering
from loadgate.recorder.errors import ErrorCount, ErrorLog
from loadgate.recorder.exemplars import Exemplar, SlowestRequests
from loadgate.recorder.in_flight import NS_PER_S, InFlight, SharedTime
from loadgate.recorder.index import SeriesIndex
from loadgate.recorder.scopes import OVERALL, RequestName, Scope, TimeSlot, Totals, sum_cells
from loadgate.recorder.sketch import LatencySketch
from loadgate.recorder.slot_sums import SlotSums


class Record:
    """All requests of a run by group, name, outcome, stage and second, for reading. A `Recorder` fills it."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        """Remove everything."""
        self._series: dict[SeriesKey, CellSeries] = {}
        self._index = SeriesIndex(())
        self._shared: dict[SeriesKey, SharedTime] = {}
        self._errors = ErrorLog()
        self._slowest = SlowestRequests()
        self._counters: Counter[str] = Counter()
        self._counted: dict[str, SlotSums] = {}

    def groups(self) -> list[str]:
        """Return the groups with at least one request, sorted."""
        return sorted({key.group for key in self._series if key.group})

    def names(self) -> list[str]:
        """Return the request names, sorted. If several methods share a name, the method precedes it."""
        return sorted(self._indexed.by_label)

    def requests(self) -> list[RequestName]:
        """Return each request name with its group ("" for none), sorted by group and name."""
        index = self._indexed
        pairs = sorted({(key.group, index.label(key)) for key in self._series})
        return [RequestName(name, group) for group, name in pairs]

    def medians(self, at_most: int) -> list[tuple[str, int, float]]:
        """Return (name, number, median in ms) of the successful requests of the most frequent names.

        Requests with the same name and different methods count together.
        """
        by_name: dict[str, list[LatencySketch]] = {}
        for key, series in self._series.items():
            if key.outcome is Outcome.SUCCESS:
                by_name.setdefault(key.name, []).append(series.total.latency)
        summed = ((name, LatencySketch.sum_of(sketches)) for name, sketches in by_name.items())
        found = [(name, total.count, total.quantile(0.5) or 0.0) for name, total in summed]
        return nlargest(at_most, found, key=lambda row: row[1])

    def methods(self) -> dict[str, int]:
        """Return the number of requests of each method or type."""
        counts: Counter[str] = Counter()
        for key, series in self._series.items():
            if key.outcome is not Outcome.MEASURE:
                counts[key.method] += series.total.latency.requests
        return dict(counts)

    def without(self, methods: Collection[str]) -> Record:
        """Return the record without the requests of these methods. It shares the cells of the others."""
        rest = Record()
        rest._series = {key: series for key, series in self._series.items() if key.method not in methods}
        rest._shared = {key: time for key, time in self._shared.items() if key.method not in methods}
        return rest

    def is_measure(self, scope: Scope) -> bool:
        """Return whether a scope has measures and no requests."""
        outcomes = {key.outcome for key, _ in self._matching(scope)}
        return scope != OVERALL and outcomes == {Outcome.MEASURE}

    def stages(self) -> list[str]:
        """Return the stages with at least one request, sorted."""
        return sorted({key.stage for key in self._series})

    def span_s(self) -> tuple[int, int] | None:
        """Return [first, end) of the epoch seconds in which requests ended. None without requests."""
        spans = [span_s for series in self._series.values() if (span_s := series.span_s) is not None]
        return (min(first_s for first_s, _ in spans), max(end_s for _, end_s in spans)) if spans else None

    def totals(self, scope: Scope = OVERALL, stages: Collection[str] | None = None) -> Totals:
        """Return the totals of a scope, of all stages or of the given ones."""
        return sum_cells((key.outcome, series.total) for key, series in self._select(scope, stages))

    def time_slots(
        self, scope: Scope = OVERALL, stages: Collection[str] | None = None, since_s: int = 0
    ) -> list[TimeSlot]:
        """Return the totals of a scope per second, or per wider slot for old ones, ascending and without empty slots.

        Slots that start before `since_s` are omitted.
        """
        found = [(key.outcome, slot) for key, series in self._select(scope, stages) for slot in series.slots(since_s)]
        keys = {(slot.start_s, slot.width_s) for _, slot in found}
        covered = {key: covering(*key, keys) for key in keys}
        by_slot: dict[tuple[int, int], list[tuple[Outcome, Cell]]] = {}
        for outcome, slot in found:
            by_slot.setdefault(covered[slot.start_s, slot.width_s], []).append((outcome, slot.cell))
        return [TimeSlot(start_s, width_s, sum_cells(cells)) for (start_s, width_s), cells in sorted(by_slot.items())]

    def requests_between(self, first_s: int, end_s: int) -> int:
        """Return the number of requests of all scopes in the slots that start in [first_s, end_s), in epoch seconds."""
        series = [one for _, one in self._select(OVERALL, None)]
        return sum(slot.cell.latency.requests for one in series for slot in one.slots(first_s) if slot.start_s < end_s)

    def in_flight(self, scope: Scope = OVERALL) -> list[InFlight]:
        """Return the mean number of requests of a scope in flight per second, or per wider slot for old ones.

        It is ascending and has no slots without a request in flight. In an open model, a request counts from its
        intended start. Measures and requests without a latency do not count.
        """
        found = [
            (slot.start_s, slot.width_s, slot.cell.latency.sum_ns)
            for key, series in self._select(scope, None)
            if key.outcome is not Outcome.MEASURE
            for slot in series.slots()
        ]
        found += [slot for key, time in self._shared.items() if self._is_within(key, scope) for slot in time.slots()]
        keys = {(start_s, width_s) for start_s, width_s, _ in found}
        covered = {key: covering(*key, keys) for key in keys}
        sums: Counter[tuple[int, int]] = Counter()
        for start_s, width_s, nanoseconds in found:
            sums[covered[start_s, width_s]] += nanoseconds
        return [InFlight(*slot, mean=max(0, sums[slot]) / slot[1] / NS_PER_S) for slot in sorted(sums) if sums[slot]]

    def service_times(self, scope: Scope = OVERALL, stages: Collection[str] | None = None) -> LatencySketch:
        """Return the service times of successful requests. Empty in a closed model."""
        sketch = LatencySketch()
        for key, series in self._select(scope, stages):
            if key.outcome is Outcome.SUCCESS and series.total.service is not None:
                sketch.merge(series.total.service)
        return sketch

    def errors(self) -> list[ErrorCount]:
        """Return the errors by name and text, the most frequent first."""
        labels = self._indexed.labels
        return [error.renamed(labels) for error in self._errors.most_frequent()]

    def slowest(self) -> list[Exemplar]:
        """Return the slowest successful requests, the slowest first."""
        labels = self._indexed.labels
        return [request.renamed(labels) for request in self._slowest.requests()]

    def counters(self) -> dict[str, int]:
        """Return the counters of `count`."""
        return dict(self._counters)

    def counted(self, counter: str) -> list[tuple[int, int, int]]:
        """Return the start, the width and the number of each slot in which a counter was increased, ascending."""
        return sorted(self._counted[counter].slots()) if counter in self._counted else []

    def cell_count(self) -> int:
        """Return the number of cells, which determines the memory in use."""
        return sum(len(series) for series in self._series.values())

    def _select(self, scope: Scope, stages: Collection[str] | None) -> list[tuple[SeriesKey, CellSeries]]:
        found = self._matching(scope)
        if scope == OVERALL or any(key.outcome is not Outcome.MEASURE for key, _ in found):
            found = [item for item in found if item[0].outcome is not Outcome.MEASURE]
        return [item for item in found if stages is None or item[0].stage in stages]

    def _matching(self, scope: Scope) -> list[tuple[SeriesKey, CellSeries]]:
        """Return all series of a scope, both requests and measures."""
        index = self._indexed
        if scope == OVERALL:
            return index.every
        if isinstance(scope, RequestName):
            name, group = scope
            return [item for item in index.by_label.get(name, []) if group in {None, item[0].group}]
        return index.by_group.get(scope) or index.by_name.get(scope, [])

    def _is_within(self, key: SeriesKey, scope: Scope) -> bool:
        if isinstance(scope, RequestName):
            return scope.name == self._indexed.label(key) and scope.group in {None, key.group}
        if scope in self._indexed.by_group:
            return key.group == scope
        return scope in {OVERALL, key.group, key.name, key.full_name}

    @property
    def _indexed(self) -> SeriesIndex:
        if len(self._index.every) != len(self._series):  # series are only ever added
            self._index = SeriesIndex(self._series.items())
        return self._index
