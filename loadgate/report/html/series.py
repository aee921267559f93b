"""The lines of the report's charts: counts and percentiles of each slot of the grid, read from packed cells."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from typing import NamedTuple

from loadgate.recorder import OVERALL, Outcome
from loadgate.recorder.packed import CellColumns
from loadgate.report.html.grid import MAX_FINE_NAMES, Grid, grids_for
from loadgate.run.document import RunDocument, ScopeFigures, SeriesRecord

PERCENTS = (50, 95, 99)
NO_VALUE = -1

_DENSE_FROM = 300
"""With this many buckets to add up, a list over all of them is faster than a dictionary."""

_NUMBERS = list(range(1 << 16))
"""Every bucket that an array of two bytes can name: a piece of a list is to be had for less than its numbers."""


class Sketch(NamedTuple):
    """Samples by bucket of the latency sketch (see `loadgate.recorder.sketch`), ascending by bucket."""

    buckets: Sequence[int]
    samples: Sequence[int]
    untimed: int = 0
    """Requests without a latency, which are in no bucket."""

    def value_at(self, rank: int) -> int:
        """The bucket of the `rank`-th smallest sample."""
        return self.buckets[bisect_left(list(accumulate(self.samples)), rank)]


EMPTY = Sketch((), ())


@dataclass(slots=True)
class Line:
    """One outcome of one scope: for each slot its samples, its percentiles and its largest sample as buckets.

    `NO_VALUE` stands where a slot has no sample. `total` holds all samples.
    """

    counts: list[int]
    percentiles: list[list[int]]
    largest: list[int]
    total: Sketch

    @classmethod
    def of(cls, slots: Mapping[int, Sketch], count: int, total: Sketch) -> Line:
        """The line over `count` slots, of the sketches of those that have samples."""
        line = cls([0] * count, [[NO_VALUE] * count for _ in PERCENTS], [NO_VALUE] * count, total)
        for slot, sketch in slots.items():
            seen = list(accumulate(sketch.samples))
            samples = seen[-1] if seen else 0
            line.counts[slot] = samples + sketch.untimed
            if not samples:
                continue
            line.largest[slot] = sketch.buckets[-1]
            for percent, column in zip(PERCENTS, line.percentiles, strict=True):
                nearest_rank = -(-samples * percent // 100)
                column[slot] = sketch.buckets[bisect_left(seen, nearest_rank)]
        return line


@dataclass(frozen=True, slots=True)
class ScopeSeries:
    """What the charts of one scope draw: its lines on each grid of the run.

    `slots`, of sums only, holds the successes by slot of the first grid.
    """

    kind: str
    group: str
    name: str
    success: list[Line]
    failure: list[Line]
    slots: Mapping[int, Sketch] | None = None


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """All scopes: `overall`, then the groups, then the names, as in the run's totals.

    The first grid is the finest. Where it has too many slots to be read at once, a second one is what a whole run is
    shown on.
    """

    grids: list[Grid]
    recorded_width_s: int
    """The widest recorded slot."""
    scopes: list[ScopeSeries]


Slots = dict[int, Sketch]
Rows = Sequence[SeriesRecord]


def chart_series(document: RunDocument, first_s: float, end_s: float) -> ChartSeries:
    """Return the series of a run whose load went on over [first_s, end_s), epoch seconds.

    One group at a time is held unpacked, so that a day with many names needs little memory.
    """
    totals, rows = document.totals, document.recording.series
    first_s, end_s, widths = _span(rows, first_s, end_s)
    grids = grids_for(first_s, end_s, widths, 1 + len(totals.groups) + len(totals.requests))
    rows_of: dict[tuple[str, str], list[SeriesRecord]] = {}
    for row in rows:
        rows_of.setdefault((row.group, row.name), []).append(row)
    groups: list[ScopeSeries] = []
    names: list[ScopeSeries] = []
    requests: list[tuple[Slots, Slots]] = []
    for group in dict.fromkeys(figures.group for figures in totals.requests):
        members = [figures for figures in totals.requests if figures.group == group]
        by_kind: dict[str, list[tuple[Slots, Slots]]] = {}
        for figures in members:
            slots = _name_slots(rows_of.get((group, figures.name), []), grids[0])
            kind = figures.kind
            by_kind.setdefault(kind, []).append(slots)
            names.append(_scope((kind, group, figures.name), figures, slots, grids))
        sums = {kind: _summed(parts) for kind, parts in by_kind.items()}
        if "request" in sums:
            requests.append(sums["request"])
        if group in totals.groups:
            kind = totals.groups[group].kind
            groups.append(_scope(("group", "", group), totals.groups[group], sums[kind], grids))
    overall = _scope(("overall", "", OVERALL), totals.overall, _summed(requests), grids)
    order = {(figures.group, figures.name): place for place, figures in enumerate(totals.requests)}
    groups.sort(key=lambda scope: list(totals.groups).index(scope.name))
    names.sort(key=lambda scope: order[scope.group, scope.name])
    return ChartSeries(grids, max(widths, default=1), [overall, *groups, *names])


def names_grid(series: ChartSeries) -> int:
    """The first grid on which names are drawn, and the heat map: of many names, the coarser alone."""
    names = sum(scope.slots is None for scope in series.scopes)
    return 0 if names <= MAX_FINE_NAMES else len(series.grids) - 1


def widened(slots: Mapping[int, Sketch], fine: Grid, coarse: Grid) -> Slots:
    """The sketches of the slots of a coarser grid, of those of a finer one."""
    wide: dict[int, list[Sketch]] = {}
    for slot, sketch in slots.items():
        wide.setdefault(slot * fine.width_s // coarse.width_s, []).append(sketch)
    return {slot: merge(parts) for slot, parts in wide.items()}


def merge(sketches: Sequence[Sketch]) -> Sketch:
    """The sketch of all samples of the others."""
    if len(sketches) == 1:
        return sketches[0]
    untimed = sum(sketch.untimed for sketch in sketches)
    timed = [sketch for sketch in sketches if sketch.buckets]
    if not timed:
        return EMPTY._replace(untimed=untimed)
    first = min(sketch.buckets[0] for sketch in timed)
    added = _added_up(timed, first, 1 + max(sketch.buckets[-1] for sketch in timed))
    return added._replace(untimed=untimed)


def _added_up(parts: Sequence[Sketch], first: int, end: int) -> Sketch:
    """The sketch of all parts, whose buckets in [first, end) need not ascend and may come several times."""
    if sum(len(part.buckets) for part in parts) < _DENSE_FROM:
        by_bucket: dict[int, int] = {}
        known = by_bucket.get
        for part in parts:
            for bucket, samples in zip(part.buckets, part.samples, strict=True):
                by_bucket[bucket] = known(bucket, 0) + samples
        buckets = sorted(by_bucket)
        return Sketch(buckets, [by_bucket[bucket] for bucket in buckets])
    dense = [0] * end
    for part in parts:
        for bucket, samples in zip(part.buckets, part.samples, strict=True):
            dense[bucket] += samples
    used = dense[first:]
    return Sketch(array("H", list(compress(_NUMBERS[first:end], used))), array("Q", list(filter(None, used))))


def _scope(
    place: tuple[str, str, str], figures: ScopeFigures, slots: tuple[Slots, Slots], grids: Sequence[Grid]
) -> ScopeSeries:
    kind, group, name = place
    all_of = (figures.distribution.success, figures.distribution.failure)
    success, failure = (
        _lines(found, grids, Sketch(total.buckets, total.samples)) for found, total in zip(slots, all_of, strict=True)
    )
    return ScopeSeries(kind, group, name, success, failure, slots[0] if kind in {"overall", "group"} else None)


def _lines(slots: Slots, grids: Sequence[Grid], total: Sketch) -> list[Line]:
    """The line on each grid, of the sketches of the slots of the first one."""
    return [Line.of(slots if grid is grids[0] else widened(slots, grids[0], grid), grid.count, total) for grid in grids]


def _summed(parts: Sequence[tuple[Slots, Slots]]) -> tuple[Slots, Slots]:
    """The sums of several scopes, slot by slot, for each outcome."""
    return _joined([success for success, _ in parts]), _joined([failure for _, failure in parts])


def _joined(parts: Sequence[Slots]) -> Slots:
    by_slot: dict[int, list[Sketch]] = {}
    for slots in parts:
        for slot, sketch in slots.items():
            by_slot.setdefault(slot, []).append(sketch)
    return {slot: merge(sketches) for slot, sketches in by_slot.items()}


def _span(rows: Rows, first_s: float, end_s: float) -> tuple[float, float, set[int]]:
    """The span widened to what was recorded, and the widths of the recorded slots."""
    widths: set[int] = set()
    for row in rows:
        columns = row.cells.unpacked()
        if columns.start_s:
            widths.update(columns.width_s)
            first_s = min(first_s, columns.start_s[0])
            end_s = max(end_s, columns.start_s[-1] + columns.width_s[-1])
    return first_s, end_s, widths


def _name_slots(rows: Rows, grid: Grid) -> tuple[Slots, Slots]:
    """Successes and failures of one name by slot of the first grid; a measure's values are successes."""
    found: tuple[dict[int, list[Sketch]], dict[int, list[Sketch]]] = ({}, {})
    for row in rows:
        by_slot = found[row.outcome is Outcome.FAILURE]
        for slot, sketch in _row_slots(row.cells.unpacked(), grid):
            by_slot.setdefault(slot, []).append(sketch)
    success, failure = ({slot: merge(parts) for slot, parts in by_slot.items()} for by_slot in found)
    return success, failure


def _row_slots(columns: CellColumns, grid: Grid) -> Iterator[tuple[int, Sketch]]:
    """The sketch of each slot that has samples; cells that follow each other in a slot are read as one."""
    buckets, samples, ends = columns.latency.buckets, columns.latency.samples, columns.latency.ends
    # The buckets of a cell ascend: its first and its last one bound it.
    lowest = min((buckets[low] for low in (0, *ends[:-1]) if low < len(buckets)), default=0)
    bounds = lowest, 1 + max((buckets[high - 1] for high in ends if high), default=0)
    slots = [(start_s - grid.start_s) // grid.width_s for start_s in columns.start_s]
    first = 0
    for cell, slot in enumerate(slots, start=1):
        if cell < len(slots) and slots[cell] == slot:
            continue
        low, high = ends[first - 1] if first else 0, ends[cell - 1]
        found = Sketch(buckets[low:high], samples[low:high])
        found = found if cell - first == 1 else _added_up([found], *bounds)
        yield slot, found._replace(untimed=sum(columns.untimed[first:cell]))
        first = cell
