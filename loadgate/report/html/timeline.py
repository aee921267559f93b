"""The charts of a run as a table, which is their text alternative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadgate.recorder import LatencySketch
from loadgate.recorder.sketch import bucket_ms, nearest_rank
from loadgate.report.html.series import ChartSeries, merged
from loadgate.run.document import RunDocument
from loadgate.units import clock, count, figure, milliseconds

MAX_ROWS = 30


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One part of the run, as text."""

    since: str
    users: str
    requests_per_s: str
    failures_per_s: str
    p50: str
    p95: str
    p99: str


def timeline(document: RunDocument, series: ChartSeries, started_s: float) -> list[TimelineRow]:
    """Return at most MAX_ROWS rows of equal length. Percentiles are computed from all successes, not averaged."""
    grid, overall = series.grids[0], series.scopes[0]
    success, failure = overall.success[0], overall.failure[0]
    if not any(success.counts) and not any(failure.counts):
        return []
    size = -(-grid.count // MAX_ROWS)
    width_s = size * grid.width_s
    users = _users(document.user_counts, grid.start_s, width_s, -(-grid.count // size))
    rows = []
    for number, first in enumerate(range(0, grid.count, size)):
        parts = [sketch for slot in range(first, first + size) if (sketch := (overall.slots or {}).get(slot))]
        every = merged(parts) if parts else LatencySketch()
        successes = sum(success.counts[first : first + size])
        failures = sum(failure.counts[first : first + size])
        seconds = min(size, grid.count - first) * grid.width_s
        rows.append(
            TimelineRow(
                clock(grid.start_s + first * grid.width_s - started_s),
                count(users[number]),
                figure((successes + failures) / seconds),
                figure(failures / seconds),
                *map(milliseconds, _percentiles(every)),
            )
        )
    return rows


def _users(counts: Sequence[Sequence[int]], start_s: int, width_s: int, rows: int) -> list[int | None]:
    """Return the maximum number of users of each row. A row without a count has the previous number."""
    users: list[int | None] = [None] * rows
    for second, number in counts:
        row = min(rows - 1, max(0, (second - start_s) // width_s))
        users[row] = max(users[row] or 0, number)
    for row in range(1, rows):
        if users[row] is None:
            users[row] = users[row - 1]
    return users


def _percentiles(sketch: LatencySketch) -> list[float | None]:
    """Return p50, p95 and p99, with the accuracy of the charts."""
    if not sketch.count:
        return [None] * 3
    return [*map(bucket_ms, sketch.bucket_indices(nearest_rank(q, sketch.count) for q in (0.5, 0.95, 0.99)))]
