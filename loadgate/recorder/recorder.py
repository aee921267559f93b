"""The recorder: it fills a record from finished requests, from the reports of workers, or from its JSON form."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from loadgate.recorder.cells import CellSeries, Outcome, SeriesKey, full_name
from loadgate.recorder.exemplars import Exemplar
from loadgate.recorder.in_flight import SharedTime
from loadgate.recorder.packed import iter_slots, pack, unpack
from loadgate.recorder.record import Record
from loadgate.recorder.reports import LostReports, ReportBook, RequestCounts
from loadgate.recorder.request import FinishedRequest
from loadgate.recorder.scopes import STEADY
from loadgate.recorder.slot_sums import SlotSums

MAX_MS = 24 * 3600 * 1000.0
"""The longest latency. A longer one is rejected, because it is not a measurement and could overflow a sum."""

MAX_END_S = 2**32
MAX_BYTES = 2**48

MAX_NAMES = 2000
"""Maximum number of request names. Requests with further names count as OTHER_NAMES of their group."""

OTHER_NAMES = "(other names)"

FORMAT_VERSION = 2
"""Since version 2, the cells of a series are packed (see `loadgate.recorder.packed`)."""


class Recorder(Record):
    """A record that is being made.

    In a run with one process, call `record` and read the totals. A worker calls `record` and sends `take_delta()` at
    intervals, and finally `take_delta(final=True)`. The master calls `merge_delta` for each report and reads the
    totals. `record` never yields, so greenlets can share a recorder. Threads cannot.
    """

    def __init__(self) -> None:
        super().__init__()
        self._names: set[str] = set()
        self._reports = ReportBook()
        self._merged: dict[str, RequestCounts] = {}
        self._recorder_id = uuid4().hex
        self._next_sequence = 0

    def _clear(self) -> None:
        super()._clear()
        self._shared_of: dict[SeriesKey, SharedTime] = {}

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

    def count(self, counter: str, times: int = 1, *, at_s: float | None = None) -> None:
        """Count an event that is not a finished request, such as a late or dropped arrival.

        With `at_s` (epoch seconds), it also counts in its second.
        """
        self._counters[counter] += times
        if at_s is not None:
            self._sums_of(counter).add(int(at_s), 1, times)

    # Reports of workers

    def take_delta(self, *, final: bool = False) -> dict[str, Any]:
        """Return and remove everything that was recorded since the last call, in a form for JSON and msgpack."""
        header = {"recorder": self._recorder_id, "sequence": self._next_sequence, "final": final}
        # Names without methods: only the master knows whether other workers use a name with other methods.
        delta = self._rows(lambda key: key.name, self._errors.to_json(), self._slowest.to_rows()) | header
        self._next_sequence += 1
        self._clear()
        return delta

    def merge_delta(self, delta: Mapping[str, Any], worker_id: str) -> bool:
        """Add a worker's report. Return False if it was already added.

        The merge is lossless. A gap in the sequence is remembered until it is filled. Raises ValueError if the report
        has another format version.
        """
        _check_version(delta)
        if not self._reports.accept(worker_id, delta["recorder"], delta["sequence"], final=delta["final"]):
            return False
        self._merged[worker_id] = self.merged(worker_id).plus(*self._merge(delta))
        return True

    def merged(self, worker_id: str) -> RequestCounts:
        """Return the requests that the reports of a worker have added."""
        return self._merged.get(worker_id, RequestCounts())

    def has_all_reports(self, worker_id: str) -> bool:
        """Return whether the final report of a worker and all before it have arrived."""
        return self._reports.has_all(worker_id)

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
        counted = [{"counter": counter} | sums.pack() for counter, sums in self._counted.items()]
        return (
            {
                "version": FORMAT_VERSION,
                "series": series,
                "errors": errors,
                "slowest": slowest,
                "counters": dict(self._counters),
            }
            | ({"in_flight": in_flight} if in_flight else {})
            | ({"counted": counted} if counted else {})
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recorder":
        """Return the recorder that `to_json` converted. Raises ValueError for another format version."""
        _check_version(data)
        recorder = cls()
        recorder._merge(data)
        return recorder

    def _new_series(self, key: SeriesKey) -> CellSeries:
        return self._series.setdefault(self._bounded(key), CellSeries())

    def _shared_time(self, key: SeriesKey) -> SharedTime:
        """Return the time of a request name, for all its outcomes and stages."""
        request = self._bounded(key)._replace(outcome=Outcome.SUCCESS, stage="")
        shared = self._shared.setdefault(request, SharedTime())
        if request.name == key.name:  # the number of other names has no bound
            self._shared_of[key] = shared
        return shared

    def _sums_of(self, counter: str) -> SlotSums:
        return self._counted.setdefault(counter, SlotSums())

    def _bounded(self, key: SeriesKey) -> SeriesKey:
        """Return the key under which a key is kept. A name beyond MAX_NAMES counts as OTHER_NAMES."""
        if key.name not in self._names and len(self._names) >= MAX_NAMES:
            key = key._replace(name=OTHER_NAMES, method="")
        self._names.add(key.name)
        return key

    def _merge(self, data: Mapping[str, Any]) -> RequestCounts:
        """Add everything of a report or of a document, and return the added requests."""
        added = RequestCounts()
        for row in data["series"]:
            key = SeriesKey(row["group"], row["name"], Outcome(row["outcome"]), row["stage"], row.get("method", ""))
            series = self._series.get(key) or self._new_series(key)
            for slot in iter_slots(unpack(row["cells"])):
                series.add(slot)
                if key.outcome is not Outcome.MEASURE:
                    requests = slot.cell.latency.requests
                    added = added.plus(requests, requests if key.outcome is Outcome.FAILURE else 0)
        for row in data.get("in_flight", ()):
            key = SeriesKey(row["group"], row["name"], Outcome.SUCCESS, "", row.get("method", ""))
            self._shared_time(key).merge(row)
        self._errors.merge_json(data["errors"])
        self._slowest.merge_rows(data["slowest"])
        self._counters.update(data["counters"])
        for row in data.get("counted", ()):
            self._sums_of(row["counter"]).merge(row)
        return added


def _check_version(data: Mapping[str, Any]) -> None:
    if data.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"recorded data of version {data.get('version')!r} cannot be read, only version {FORMAT_VERSION}; "
            "use the same loadgate version on all machines"
        )
