"""The lines of the report's charts: counts and percentiles of each slot of the grid, read from packed cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from loadgate.analysis.confidence import min_samples
from loadgate.recorder import OVERALL, LatencySketch, Outcome
from loadgate.recorder.packed import CellColumns
from loadgate.recorder.sketch import nearest_rank
from loadgate.report.html.grid import MAX_FINE_NAMES, Grid, grids_for
from loadgate.report.html.heat import Heat
from loadgate.report.html.in_flight import TimesInFlight
from loadgate.run.document import RunDocument, ScopeFigures, SeriesRecord

PERCENTS = (50, 95, 99)
NO_VALUE = -1

TAIL_SAMPLES = 3
"""The number of samples above a percentile that a point of its line rests on, on average."""

MIN_POINTS = 3
SLOTS_PER_POINT = (1, 2, 5, 10, 15, 20, 30, 60)


@dataclass(slots=True)
class Line:
    """One outcome of one scope: the count of each slot, and its percentiles and maximum as buckets of the sketch.

    A slot without samples has `NO_VALUE`. `total` has all samples. `drawn` are the percentiles for a chart. A point of
    one covers so many slots (`slots_per_point`) that it rests on enough samples, and each of these slots has its value.
    With 0, there are too few samples for a line, and `drawn` are those of the slots.
    """

    counts: list[int]
    percentiles: list[list[int]]
    largest: list[int]
    total: LatencySketch
    slots_per_point: list[int] = field(default_factory=list)
    drawn: list[list[int]] = field(default_factory=list)

    @classmethod
    def of(cls, slots: Mapping[int, LatencySketch], count: int, total: LatencySketch) -> Line:
        """Return the line over `count` slots, given the sketches of the slots with samples."""
        line = cls([0] * count, [[NO_VALUE] * count for _ in PERCENTS], [NO_VALUE] * count, total)
        line._fill(slots)
        for percent, own in zip(PERCENTS, line.percentiles, strict=True):
            slots_per_point = _slots_per_point(line.counts, percent / 100)
            line.slots_per_point.append(slots_per_point)
            is_own = slots_per_point <= 1
            line.drawn.append(own if is_own else _drawn(slots, count, slots_per_point, percent / 100))
        return line

    def _fill(self, slots: Mapping[int, LatencySketch]) -> None:
        for slot, sketch in slots.items():
            self.counts[slot] = sketch.requests
            if not sketch.count:
                continue
            ranks = [nearest_rank(percent / 100, sketch.count) for percent in PERCENTS]
            *found, self.largest[slot] = sketch.bucket_indices([*ranks, sketch.count])
            for bucket, column in zip(found, self.percentiles, strict=True):
                column[slot] = bucket


def _slots_per_point(counts: Sequence[int], quantile: float) -> int:
    """Return how many slots a point of a percentile covers, so that most points rest on enough samples.

    It is 0 if the line would have fewer than MIN_POINTS points.
    """
    total, used, needed = sum(counts), sum(map(bool, counts)), _point_samples(quantile)
    if total < MIN_POINTS * needed:
        return 0
    wanted = ceil(needed * used / total)
    return next((slots for slots in SLOTS_PER_POINT if slots >= wanted), wanted)


def _point_samples(quantile: float) -> int:
    """Return the samples on which a point rests: 30 for p50, 60 for p95, 300 for p99."""
    return TAIL_SAMPLES * min_samples(quantile)


def _drawn(slots: Mapping[int, LatencySketch], count: int, slots_per_point: int, quantile: float) -> list[int]:
    """Return a percentile of groups of slots, for each slot. A last group with few samples joins the one before."""
    groups = [range(at, min(at + slots_per_point, count)) for at in range(0, count, slots_per_point)]
    if len(groups) > 1 and sum(slots[slot].count for slot in groups[-1] if slot in slots) < _point_samples(quantile):
        last = groups.pop()
        groups[-1] = range(groups[-1].start, last.stop)
    column = [NO_VALUE] * count
    for group in groups:
        parts = [slots[slot] for slot in group if slot in slots and slots[slot].count]
        if not parts:
            continue
        sketch = merged(parts)
        if sketch.count >= min_samples(quantile):
            (bucket,) = sketch.bucket_indices([nearest_rank(quantile, sketch.count)])
            column[group.start : group.stop] = [bucket] * len(group)
    return column


@dataclass(frozen=True, slots=True)
class ScopeSeries:
    """The data of the charts of one scope: its lines on each grid and, for totals, the heat map.

    `slots` are the successes by slot of the first grid. Only the scope `overall` has them. `in_flight` is the mean
    number of requests in flight in each slot of the first grid. It is empty for measures.
    """

    kind: str
    group: str
    name: str
    success: list[Line]
    failure: list[Line]
    heat: Heat | None = None
    slots: Mapping[int, LatencySketch] | None = None
    in_flight: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """The series of all scopes, in the order of the run's totals: `overall`, the groups, the names.

    The first grid is the finest. If it has too many slots for a readable chart, a second grid shows the whole run.
    """

    grids: list[Grid]
    recorded_width_s: int
    """The widest recorded slot."""
    scopes: list[ScopeSeries]


Slots = dict[int, LatencySketch]
Rows = Sequence[SeriesRecord]


def chart_series(document: RunDocument, first_s: float, end_s: float) -> ChartSeries:
    """Return the series of a run whose load lasted over [first_s, end_s), in epoch seconds.

    Only one group is unpacked at a time, so that a run of a day with many names needs little memory.
    """
    totals, rows = document.totals, document.recording.series
    first_s, end_s, widths = _span(rows, first_s, end_s)
    grids = grids_for(first_s, end_s, widths, 1 + len(totals.groups) + len(totals.requests))
    names_from = _names_grid(len(totals.requests), grids)
    rows_of: dict[tuple[str, str], list[SeriesRecord]] = {}
    for row in rows:
        rows_of.setdefault((row.group, row.name), []).append(row)
    groups: dict[str, ScopeSeries] = {}
    names: dict[tuple[str, str], ScopeSeries] = {}
    requests: list[tuple[Slots, Slots]] = []
    in_flight = TimesInFlight(document.recording.in_flight, grids[0])
    for group in dict.fromkeys(figures.group for figures in totals.requests):
        group_figures = totals.groups.get(group)
        # A group without requests shows its measures. No other total includes measures.
        summed_kind = group_figures.kind if group_figures is not None else "request"
        summed: list[tuple[Slots, Slots]] = []
        for figures in totals.requests:
            if figures.group == group:
                slots = _name_slots(rows_of.get((group, figures.name), []), grids[0])
                scope = _scope((figures.kind, group, figures.name), figures, slots, grids)
                if figures.kind == "request":
                    in_flight.add(group, figures.name, slots)
                    scope = replace(scope, in_flight=in_flight.of(group, figures.name))
                names[group, figures.name] = scope
                if figures.kind == summed_kind:
                    summed.append(slots)
        sums = _summed(summed)
        if summed_kind == "request":
            requests.append(sums)
        if group_figures is not None:
            scope = _scope(("group", "", group), group_figures, sums, grids)
            heat = _heat(sums[0], grids, names_from)
            groups[group] = replace(scope, heat=heat, in_flight=in_flight.of(group))
    all_requests = _summed(requests)
    overall = _scope(("overall", "", OVERALL), totals.overall, all_requests, grids)
    heat = _heat(all_requests[0], grids, names_from)
    overall = replace(overall, heat=heat, slots=all_requests[0], in_flight=in_flight.of())
    in_order = [
        *(groups[group] for group in totals.groups),
        *(names[figures.group, figures.name] for figures in totals.requests),
    ]
    return ChartSeries(grids, max(widths, default=1), [overall, *in_order])


def names_grid(series: ChartSeries) -> int:
    """Return the first grid for names and the heat map. With many names it is the coarser one."""
    return _names_grid(sum(scope.heat is None for scope in series.scopes), series.grids)


def _names_grid(names: int, grids: Sequence[Grid]) -> int:
    return 0 if names <= MAX_FINE_NAMES else len(grids) - 1


def _widened(slots: Mapping[int, LatencySketch], fine: Grid, coarse: Grid) -> Mapping[int, LatencySketch]:
    """Return the sketches of the slots of a coarser grid, merged from those of a finer one."""
    if fine is coarse:
        return slots
    wide: dict[int, list[LatencySketch]] = {}
    for slot, sketch in slots.items():
        wide.setdefault(slot * fine.width_s // coarse.width_s, []).append(sketch)
    return {slot: merged(parts) for slot, parts in wide.items()}


def merged(sketches: Sequence[LatencySketch]) -> LatencySketch:
    """Return the sum of one or more sketches. A single sketch is returned without a copy."""
    return sketches[0] if len(sketches) == 1 else LatencySketch.sum_of(sketches)


def _scope(
    place: tuple[str, str, str], figures: ScopeFigures, slots: tuple[Slots, Slots], grids: Sequence[Grid]
) -> ScopeSeries:
    success = _lines(slots[0], grids, figures.success_sketch())
    failure = _lines(slots[1], grids, figures.failure_sketch())
    return ScopeSeries(*place, success, failure)


def _lines(slots: Slots, grids: Sequence[Grid], total: LatencySketch) -> list[Line]:
    """Return the line on each grid, given the sketches of the slots of the first grid."""
    return [Line.of(_widened(slots, grids[0], grid), grid.count, total) for grid in grids]


def _heat(slots: Slots, grids: Sequence[Grid], drawn_on: int) -> Heat:
    grid = grids[drawn_on]
    return Heat.of(_widened(slots, grids[0], grid), grid.count)


def _summed(parts: Sequence[tuple[Slots, Slots]]) -> tuple[Slots, Slots]:
    """Return the totals of several scopes for each slot and outcome."""
    return _joined([success for success, _ in parts]), _joined([failure for _, failure in parts])


def _joined(parts: Sequence[Slots]) -> Slots:
    by_slot: dict[int, list[LatencySketch]] = {}
    for slots in parts:
        for slot, sketch in slots.items():
            by_slot.setdefault(slot, []).append(sketch)
    return {slot: merged(sketches) for slot, sketches in by_slot.items()}


def _span(rows: Rows, first_s: float, end_s: float) -> tuple[float, float, set[int]]:
    """Return the span, extended to all recorded slots, and the widths of these slots."""
    widths: set[int] = set()
    for row in rows:
        span_s, used = row.cells.span_and_widths()
        widths |= used
        if span_s is not None:
            first_s, end_s = min(first_s, span_s[0]), max(end_s, span_s[1])
    return first_s, end_s, widths


def _name_slots(rows: Rows, grid: Grid) -> tuple[Slots, Slots]:
    """Return the successes and failures of one name by slot of the first grid. A measure's values are successes."""
    found: tuple[dict[int, list[LatencySketch]], dict[int, list[LatencySketch]]] = ({}, {})
    for row in rows:
        by_slot = found[row.outcome is Outcome.FAILURE]
        for slot, sketch in _row_slots(row.cells.unpacked(), grid):
            by_slot.setdefault(slot, []).append(sketch)
    success, failure = ({slot: merged(parts) for slot, parts in by_slot.items()} for by_slot in found)
    return success, failure


def _row_slots(columns: CellColumns, grid: Grid) -> Iterator[tuple[int, LatencySketch]]:
    """Return the sketch of each slot with samples. Consecutive cells of a slot are read together."""
    slots = [(start_s - grid.start_s) // grid.width_s for start_s in columns.start_s]
    first = 0
    for end, slot in enumerate(slots, start=1):
        if end == len(slots) or slots[end] != slot:
            yield slot, columns.latencies(first, end)
            first = end
