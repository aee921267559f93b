"""The charts of a run as a table, which is their text alternative."""

from __future__ import annotations

from loadgate.recorder import LatencySketch
from loadgate.recorder.sketch import bucket_ms, nearest_rank
from loadgate.report.html.grid import Grid
from loadgate.report.html.series import ChartSeries
from loadgate.run.document import RunDocument
from loadgate.units import clock, count, figure, milliseconds

MAX_ROWS = 30


def rows_of(grid: Grid) -> Grid:
    """Return the grid of at most MAX_ROWS rows for a table of the slots of a grid."""
    size = -(-grid.count // MAX_ROWS)
    return Grid(grid.start_s, size * grid.width_s, -(-grid.count // size))


def timeline(document: RunDocument, series: ChartSeries, started_s: float) -> list[tuple[str, ...]]:
    """Return at most MAX_ROWS rows of equal length: start, users, requests/s, failures/s, p50, p95 and p99.

    Percentiles are computed from all successes, not averaged.
    """
    grid, overall = series.grids[0], series.scopes[0]
    success, failure = overall.success[0], overall.failure[0]
    if not any(success.counts) and not any(failure.counts):
        return []
    wide = rows_of(grid)
    size = wide.width_s // grid.width_s
    users = wide.peaks(document.user_counts)
    rows = []
    for number, first in enumerate(range(0, grid.count, size)):
        parts = [sketch for slot in range(first, first + size) if (sketch := (overall.slots or {}).get(slot))]
        successes = sum(success.counts[first : first + size])
        failures = sum(failure.counts[first : first + size])
        seconds = min(size, grid.count - first) * grid.width_s
        rows.append(
            (
                # The nearest second, as in the charts.
                clock(round(grid.start_s + first * grid.width_s - started_s)),
                count(users[number]),
                figure((successes + failures) / seconds),
                figure(failures / seconds),
                *map(milliseconds, percentiles_ms(LatencySketch.sum_of(parts))),
            )
        )
    return rows


def percentiles_ms(sketch: LatencySketch) -> list[float | None]:
    """Return p50, p95 and p99, with the accuracy of the charts."""
    if not sketch.count:
        return [None] * 3
    return [*map(bucket_ms, sketch.bucket_indices(nearest_rank(q, sketch.count) for q in (0.5, 0.95, 0.99)))]
