"""The lines of the report's charts: counts and percentiles of each slot of the grid, read from packed cells."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadgate.recorder.cells import Outcome
from loadgate.recorder.packed import CellColumns, unpack
from loadgate.recorder.sketch import nearest_rank
from loadgate.report.html.grid import Grid, grids_for

QUANTILES = (0.5, 0.95, 0.99)
NO_VALUE = -1

Buckets = dict[int, int]
"""Samples by bucket index of the sketch (see `loadgate.recorder.sketch`)."""

Pairs = list[tuple[int, int]]
"""(bucket index, samples), ascending; a bucket may come several times."""


@dataclass(slots=True)
class Line:
    """One outcome of one scope: for each slot its samples, its percentiles and its largest sample as bucket indices.

    `NO_VALUE` stands where a slot has no sample. `total` holds all samples.
    """

    counts: list[int]
    quantiles: list[list[int]]
    largest: list[int]
    total: Buckets

    @classmethod
    def empty(cls, slots: int, total: Buckets) -> Line:
        """A line whose slots are still to be filled."""
        return cls([0] * slots, [[NO_VALUE] * slots for _ in QUANTILES], [NO_VALUE] * slots, total)

    def set_slot(self, slot: int, pairs: Pairs, count: int) -> None:
        """Fill one slot."""
        self.counts[slot] = count
        self.largest[slot] = pairs[-1][0]
        ranks = [nearest_rank(quantile, count) for quantile in QUANTILES]
        seen, next_rank = 0, 0
        for bucket, samples in pairs:
            seen += samples
            while seen >= ranks[next_rank]:
                self.quantiles[next_rank][slot] = bucket
                next_rank += 1
                if next_rank == len(ranks):
                    return


@dataclass(frozen=True, slots=True)
class ScopeSeries:
    """What the charts of one scope draw: its lines on each grid of the run.

    `slots`, of sums only, holds the buckets of successes by slot of the first grid.
    """

    kind: str
    group: str
    name: str
    success: list[Line]
    failure: list[Line]
    slots: list[Buckets] | None = None


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """All scopes: `overall`, then the groups, then the names, as in the run's totals.

    The first grid is the finest. Where it has too many slots to be read at once, or too few requests in each, a
    second one is what a whole run is shown on.
    """

    grids: list[Grid]
    recorded_width_s: int
    """The widest recorded slot."""
    scopes: list[ScopeSeries]


class _Merged:
    """A scope that sums up others, for one outcome."""

    def __init__(self, slots: int) -> None:
        self.slots: list[Buckets] = [{} for _ in range(slots)]
        self.total: Buckets = {}

    def lines(self, grids: Sequence[Grid]) -> list[Line]:
        found = {slot: sorted(buckets.items()) for slot, buckets in enumerate(self.slots) if buckets}
        return _lines(found, grids, self.total)


def chart_series(document: Mapping[str, Any], first_s: float, end_s: float) -> ChartSeries:
    """Return the series of a run whose load went on over [first_s, end_s), epoch seconds.

    One name at a time is held unpacked, so that a day with many names needs little memory.
    """
    totals = document["totals"]
    rows: dict[tuple[str, str], list[tuple[Outcome, Mapping[str, Any]]]] = {}
    for row in document["recording"]["series"]:
        rows.setdefault((row["group"], row["name"]), []).append((Outcome(row["outcome"]), row["cells"]))
    first_s, end_s, widths = _span(document["recording"]["series"], first_s, end_s)
    grids = grids_for(first_s, end_s, widths, 1 + len(totals["groups"]) + len(totals["requests"]))
    count = grids[0].count
    overall = (_Merged(count), _Merged(count))
    groups = {group: (_Merged(count), _Merged(count)) for group in totals["groups"]}
    names = []
    for figures in totals["requests"]:
        kind, group, name = figures.get("kind", "request"), figures["group"], figures["name"]
        into = [overall] if kind == "request" else []
        if group in groups and totals["groups"][group].get("kind", "request") == kind:
            into.append(groups[group])
        success, failure = _name_lines(rows.get((group, name), []), grids, into)
        names.append(ScopeSeries(kind, group, name, success, failure))
    sums = {"overall": ("overall", overall)} | {group: ("group", merged) for group, merged in groups.items()}
    scopes = [
        ScopeSeries(kind, "", name, success.lines(grids), failure.lines(grids), success.slots)
        for name, (kind, (success, failure)) in sums.items()
    ]
    return ChartSeries(grids, max(widths, default=1), scopes + names)


def _span(series: Iterable[Mapping[str, Any]], first_s: float, end_s: float) -> tuple[float, float, set[int]]:
    """The span widened to what was recorded, and the widths of the recorded slots."""
    widths: set[int] = set()
    for row in series:
        columns = unpack(row["cells"])
        if columns.start_s:
            widths.update(columns.width_s)
            first_s = min(first_s, columns.start_s[0])
            end_s = max(end_s, columns.start_s[-1] + columns.width_s[-1])
    return first_s, end_s, widths


def _name_lines(
    rows: Sequence[tuple[Outcome, Mapping[str, Any]]], grids: Sequence[Grid], into: Sequence[tuple[_Merged, _Merged]]
) -> tuple[list[Line], list[Line]]:
    lines = []
    for number, is_failure in enumerate((False, True)):
        columns = [unpack(cells) for outcome, cells in rows if (outcome is Outcome.FAILURE) == is_failure]
        found = _slots(columns, grids[0])
        total: Buckets = {}
        for part in columns:
            _add(total, zip(part.latency.buckets, part.latency.samples, strict=True))
        for sums in (merged[number] for merged in into):
            _add(sums.total, total.items())
            for slot, pairs in found.items():
                _add(sums.slots[slot], pairs)
        lines.append(_lines(found, grids, total))
    return lines[0], lines[1]


def _lines(found: Mapping[int, Pairs], grids: Sequence[Grid], total: Buckets) -> list[Line]:
    """The line on each grid, of the (bucket, samples) of each slot of the first one."""
    lines = []
    for grid in grids:
        line = Line.empty(grid.count, total)
        factor = grid.width_s // grids[0].width_s
        for slot, pairs in (found if factor == 1 else _joined(found, factor)).items():
            line.set_slot(min(slot, grid.count - 1), pairs, sum(samples for _, samples in pairs))
        lines.append(line)
    return lines


def _joined(found: Mapping[int, Pairs], factor: int) -> dict[int, Pairs]:
    """The pairs of slots `factor` times as wide."""
    wide: dict[int, Pairs] = {}
    for slot, pairs in found.items():
        wide.setdefault(slot // factor, []).extend(pairs)
    for pairs in wide.values():
        pairs.sort()
    return wide


def _slots(parts: Sequence[CellColumns], grid: Grid) -> dict[int, Pairs]:
    """The (bucket, samples) of each slot that has any, ascending; cells that follow each other are read as one."""
    found: dict[int, Pairs] = {}
    for columns in parts:
        buckets, samples = columns.latency.buckets, columns.latency.samples
        for slot, begin, end in _runs(columns.start_s, columns.latency.ends, grid):
            found.setdefault(slot, []).extend(zip(buckets[begin:end], samples[begin:end], strict=True))
    for pairs in found.values():
        pairs.sort()
    return found


def _runs(start_s: array[int], ends: Sequence[int], grid: Grid) -> Iterable[tuple[int, int, int]]:
    """(slot, begin, end) of the buckets of cells that lie in the same slot and follow each other."""
    current, begin, end = -1, 0, 0
    for cell_start_s, cell_end in zip(start_s, ends, strict=True):
        slot = (cell_start_s - grid.start_s) // grid.width_s
        if slot != current:
            if end > begin:
                yield current, begin, end
            current, begin = slot, end
        end = cell_end
    if end > begin:
        yield current, begin, end


def _add(buckets: Buckets, pairs: Iterable[tuple[int, int]]) -> None:
    known = buckets.get
    for bucket, samples in pairs:
        buckets[bucket] = known(bucket, 0) + samples
