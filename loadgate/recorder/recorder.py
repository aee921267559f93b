"""The recorder: all requests of a run by group, name, outcome, stage and second. Records of workers can be merged."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from loadgate.recorder.cells import Cell, CellSeries, Outcome, SeriesKey, covering, full_name
from loadgate.recorder.errors import ErrorCount, ErrorLog
from loadgate.recorder.exemplars import Exemplar, SlowestRequests
from loadgate.recorder.in_flight import NS_PER_S, InFlight, SharedTime
from loadgate.recorder.index import SeriesIndex
from loadgate.recorder.packed import iter_slots, pack, unpack
from loadgate.recorder.reports import LostReports, ReportBook
from loadgate.recorder.request import FinishedRequest
from loadgate.recorder.scopes import OVERALL, STEADY, RequestName, Scope, TimeSlot, Totals, sum_cells
from loadgate.recorder.sketch import LatencySketch

MAX_MS = 24 * 3600 * 1000.0
"""The longest latency. A longer one is rejected, because it is not a measurement and could overflow a sum."""

MAX_END_S = 2**32
MAX_BYTES = 2**48

MAX_NAMES = 2000
"""Maximum number of request names. Requests with further names count as OTHER_NAMES of their group."""

OTHER_NAMES = "(other names)"

FORMAT_VERSION = 2
"""Since version 2, the cells of a series are packed (see `loadgate.recorder.packed`)."""


class Recorder:
    """The record of a run.

    In a run with one process, call `record` and read the totals. A worker calls `record` and sends `take_delta()` at
    intervals, and finally `take_delta(final=True)`. The master calls `merge_delta` for each report and reads the
    totals. `record` never yields, so greenlets can share a recorder. Threads cannot.
    """

    def __init__(self) -> None:
        self._series: dict[SeriesKey, CellSeries] = {}
        self._names: set[str] = set()
        self._index = SeriesIndex(())
        self._shared: dict[SeriesKey, SharedTime] = {}
        self._shared_of: dict[SeriesKey, SharedTime] = {}
        self._errors = ErrorLog()
        self._slowest = SlowestRequests()
        self._counters: Counter[str] = Counter()
        self._reports = ReportBook()
        self._recorder_id = uuid4().hex
        self._next_sequence = 0

    def record(self, request: FinishedRequest, stage: str = STEADY) -> None:
        """Add one finished request to the second in which it ended.

        Raises ValueError for a request that must be rejected, such as one with a negative or infinite latency.
        """
        name, outcome, start_s, latency_ms, method, response_bytes, error, group, service_ms, ids = request
        took_ms = latency_ms or 0.0
        end_s = start_s + took_ms / 1000
        # All checks precede the first change, so that a rejected request leaves the record unchanged.
        if not 0.0 <= took_ms <= MAX_MS or not (service_ms is None or 0.0 <= service_ms <= MAX_MS):
            raise ValueError(
                f"times must be finite, at least 0 ms and at most a day; got {latency_ms!r}, {service_ms!r}"
            )
        if not 0.0 <= end_s < MAX_END_S:
            raise ValueError(f"the start must be in epoch seconds, such as time.time(); got an end at {end_s!r}")
        if not (isinstance(name, str) and isinstance(group, str) and 0 <= response_bytes <= MAX_BYTES):
            got = f"{name!r}, {group!r}, {response_bytes!r}"
            raise ValueError(f"name and group must be strings, and sizes at least 0; got {got}")
        key = SeriesKey(group, name, outcome, stage, method)
        series = self._series.get(key)
        if series is None:
            series = self._new_series(key)
        second = int(end_s)
        series.record(second, latency_ms, response_bytes, service_ms)
        if start_s < second and outcome is not Outcome.MEASURE:
            (self._shared_of.get(key) or self._shared_time(key)).move(start_s, second)
        if error is not None:
            full = full_name(name, method)
            self._errors.record(full, error, end_s, partial(Exemplar.of, group, full, start_s, took_ms, ids))
        elif latency_ms is not None and outcome is Outcome.SUCCESS and latency_ms >= self._slowest.floor_ms:
            self._slowest.offer(Exemplar.of(group, full_name(name, method), start_s, latency_ms, ids))

    def record_measure(self, name: str, value_ms: float, *, at_s: float, stage: str = STEADY, group: str = "") -> None:
        """Add a duration that is not a request, measured at `at_s` (epoch seconds). A value below 0 counts as 0.

        It is read like the latency of a successful request, but only under its own name and group. Raises ValueError
        like `record`.
        """
        value_ms = 0.0 if value_ms < 0 else value_ms
        measure = FinishedRequest(name, Outcome.MEASURE, at_s - value_ms / 1000, value_ms, group=group)
        self.record(measure, stage)

    def record_cut_off(self, request: FinishedRequest) -> None:
        """Add the time in flight of a request that was cut off at its end. It counts in no other way.

        Raises ValueError if it does not lie in epoch seconds, or took more than a day.
        """
        start_s, end_s = request.start_s, request.end_s
        if not (0.0 <= start_s <= end_s < MAX_END_S and end_s - start_s <= MAX_MS / 1000):
            raise ValueError(f"a request cannot be in flight from {start_s!r} to {end_s!r}")
        key = SeriesKey(request.group, request.name, request.outcome, "", request.method)
        self._shared_time(key).spread(start_s, end_s)

    def count(self, counter: str, times: int = 1) -> None:
        """Count an event that is not a finished request, such as a late or dropped arrival."""
        self._counters[counter] += times

    # Reports of workers

    def take_delta(self, *, final: bool = False) -> dict[str, Any]:
        """Return and remove everything that was recorded since the last call, in a form for JSON and msgpack."""
        header = {"recorder": self._recorder_id, "sequence": self._next_sequence, "final": final}
        # Names without methods: only the master knows whether other workers use a name with other methods.
        delta = self._rows(lambda key: key.name, self._errors.to_json(), self._slowest.to_rows()) | header
        self._next_sequence += 1
        self._series = {}
        self._index = SeriesIndex(())
        self._shared, self._shared_of = {}, {}
        self._errors = ErrorLog()
        self._slowest = SlowestRequests()
        self._counters = Counter()
        return delta

    def merge_delta(self, delta: Mapping[str, Any], worker_id: str, shift_s: int = 0) -> bool:
        """Add a worker's report, with all its times moved by `shift_s`. Return False if it was already added.

        The merge is lossless. A gap in the sequence is remembered until it is filled. Raises ValueError if the report
        has another format version.
        """
        _check_version(delta)
        if not self._reports.accept(worker_id, delta["recorder"], delta["sequence"], final=delta["final"]):
            return False
        self._merge(delta, shift_s)
        return True

    def lost_reports(self) -> list[LostReports]:
        """Return the workers whose reports are incomplete. Call it after the run."""
        return self._reports.lost()

    # JSON form

    def to_json(self) -> dict[str, Any]:
        """Return the whole record: `series` with packed cells, `errors`, `slowest` and `counters`."""
        errors = [error.to_row() for error in self.errors()]
        return self._rows(self._indexed.label, errors, [request.to_row() for request in self.slowest()])

    def _rows(
        self, shown: Callable[[SeriesKey], str], errors: list[list[Any]], slowest: list[list[Any]]
    ) -> dict[str, Any]:
        series = [
            {
                "group": key.group,
                "name": shown(key),
                "outcome": key.outcome.value,
                "stage": key.stage,
                "cells": pack(series.slots()),
            }
            | ({"method": key.method} if key.method else {})
            for key, series in self._series.items()
        ]
        in_flight = [
            {"group": key.group, "name": shown(key)} | time.pack() | ({"method": key.method} if key.method else {})
            for key, time in self._shared.items()
        ]
        return {
            "version": FORMAT_VERSION,
            "series": series,
            "errors": errors,
            "slowest": slowest,
            "counters": dict(self._counters),
        } | ({"in_flight": in_flight} if in_flight else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recorder":
        """Return the recorder that `to_json` converted. Raises ValueError for another format version."""
        _check_version(data)
        recorder = cls()
        recorder._merge(data)
        return recorder

    # Queries

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

    def methods(self) -> dict[str, int]:
        """Return the number of requests of each method or type."""
        counts: Counter[str] = Counter()
        for key, series in self._series.items():
            if key.outcome is not Outcome.MEASURE:
                counts[key.method] += series.total.latency.requests
        return dict(counts)

    def without(self, methods: Collection[str]) -> "Recorder":
        """Return a view of the record without the requests of these methods, for reading only."""
        rest = Recorder()
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

    def _new_series(self, key: SeriesKey) -> CellSeries:
        return self._series.setdefault(self._bounded(key), CellSeries())

    def _shared_time(self, key: SeriesKey) -> SharedTime:
        """Return the time of a request name, for all its outcomes and stages."""
        request = self._bounded(key)._replace(outcome=Outcome.SUCCESS, stage="")
        shared = self._shared.setdefault(request, SharedTime())
        if request.name == key.name:  # the number of other names has no bound
            self._shared_of[key] = shared
        return shared

    def _bounded(self, key: SeriesKey) -> SeriesKey:
        """Return the key under which a key is kept. A name beyond MAX_NAMES counts as OTHER_NAMES."""
        if key.name not in self._names and len(self._names) >= MAX_NAMES:
            key = key._replace(name=OTHER_NAMES, method="")
        self._names.add(key.name)
        return key

    def _merge(self, data: Mapping[str, Any], shift_s: int = 0) -> None:
        for row in data["series"]:
            key = SeriesKey(row["group"], row["name"], Outcome(row["outcome"]), row["stage"], row.get("method", ""))
            series = self._series.get(key) or self._new_series(key)
            for slot in iter_slots(unpack(row["cells"])):
                series.add(slot._replace(start_s=slot.start_s + shift_s))
        for row in data.get("in_flight", ()):
            key = SeriesKey(row["group"], row["name"], Outcome.SUCCESS, "", row.get("method", ""))
            self._shared_time(key).merge(row, shift_s)
        self._errors.merge_json(data["errors"], shift_s)
        self._slowest.merge_rows(data["slowest"], shift_s)
        self._counters.update(data["counters"])


def _check_version(data: Mapping[str, Any]) -> None:
    if data.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"recorded data of version {data.get('version')!r} cannot be read, only version {FORMAT_VERSION}; "
            "use the same loadgate version on all machines"
        )
