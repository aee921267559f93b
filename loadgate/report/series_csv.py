"""series.csv: the figures of each second of a run, for spreadsheets and notebooks."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

from loadgate.recorder.sketch import bucket_ms
from loadgate.report.html.grid import Grid
from loadgate.report.html.series import NO_VALUE, ChartSeries, ScopeSeries
from loadgate.report.resources import ResourceLine, resource_lines, with_limits
from loadgate.run.document import RunDocument
from loadgate.run.document.parts import iso_time

_PLACE = ("time", "width_s", "scope", "group", "name")
_FIGURES = ("users", "requests", "failures", "p50_ms", "p95_ms", "p99_ms", "max_ms", "in_flight")
_VALUE = ("value", "unit")
"""The last columns. Only rows of resources have them, and their columns from `requests` to `in_flight` are empty."""


def series_csv(document: RunDocument, series: ChartSeries) -> str:
    """Return one row for each slot and scope (`overall`, each group, each name) with requests, then the resources.

    A row of the scope `resource` is the mean of a quantity in a slot: `group` is the resource, and `name` the quantity.
    A slot is one second, or more in a long run. Latencies are those of successful requests, with an error of at most
    0.5 %. They are empty in a slot without successful requests. `users` is the number of users at the end of the slot.
    `in_flight` is the mean number of requests in flight during the slot, empty for measures.
    """
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_PLACE, *_FIGURES, *_VALUE])
    grid = series.grids[0]
    users = _users(document.user_counts, grid)
    times = [iso_time(grid.start_s + slot * grid.width_s) for slot in range(grid.count)]
    for scope in series.scopes:
        writer.writerows(_rows(scope, times, grid.width_s, users))
    for line in with_limits(resource_lines(document)):
        writer.writerows(_resource_rows(line, times, grid, users))
    return out.getvalue()


def _rows(scope: ScopeSeries, times: Sequence[str], width_s: int, users: Sequence[int | str]) -> Iterator[list[Any]]:
    name = scope.name if scope.kind in {"request", "measure"} else ""
    group = scope.name if scope.kind == "group" else scope.group
    good, bad = scope.success[0], scope.failure[0]
    for slot, time in enumerate(times):
        requests = good.counts[slot] + bad.counts[slot]
        in_flight = scope.in_flight[slot] if scope.in_flight else 0.0
        if requests or in_flight:
            buckets = [*(percentile[slot] for percentile in good.percentiles), good.largest[slot]]
            shown = ["" if bucket == NO_VALUE else f"{bucket_ms(bucket):.3f}" for bucket in buckets]
            place = [time, width_s, scope.kind, group, name, users[slot], requests, bad.counts[slot]]
            yield [*place, *shown, f"{in_flight:.6g}" if scope.in_flight else "", "", ""]


def _resource_rows(
    line: ResourceLine, times: Sequence[str], grid: Grid, users: Sequence[int | str]
) -> Iterator[list[Any]]:
    quantity = line.quantity
    place = [grid.width_s, "resource", quantity.resource, quantity.name]
    values = line.over(grid.start_s, grid.width_s, grid.count)
    for time, running, value in zip(times, users, values, strict=True):
        if value is not None:
            yield [time, *place, running, *[""] * (len(_FIGURES) - 1), f"{value:.10g}", quantity.unit.name]


def _users(counts: Sequence[Sequence[int]], grid: Grid) -> list[int | str]:
    seconds = [second for second, _ in counts]
    found: list[int | str] = []
    for slot in range(grid.count):
        until = bisect_right(seconds, grid.start_s + (slot + 1) * grid.width_s - 1)
        found.append(counts[until - 1][1] if until else "")
    return found
