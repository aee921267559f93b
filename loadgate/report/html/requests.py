"""The rows of the report's table of requests, each with its distribution of times as details."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.recorder.sketch import bucket_ms
from loadgate.report.html.series import ChartSeries, Line, ScopeSeries
from loadgate.report.value_changes import change_text, interval_text
from loadgate.run.document import ScopeFigures, TotalFigures
from loadgate.run.document.baseline import BaselineChanges, ValueChange
from loadgate.units import count, figure, milliseconds, percentage, size

TIMES = ("mean", "min", "p50", "p90", "p95", "p99", "p99.9", "max")
SPARK_WIDTH, SPARK_HEIGHT = 96, 22
_SPARK_POINTS = 32


@dataclass(frozen=True, slots=True)
class Cell:
    """A number as text, and its sort key."""

    text: str
    sort: float


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One scope: `index` is its position in the embedded data. `times` are rows: a label, a text for each of TIMES."""

    index: int
    kind: str
    group: str
    name: str
    cells: tuple[Cell, ...]
    since_baseline: Cell
    """The change of the p95, with its interval in `since_interval`."""
    since_interval: str
    has_failures: bool
    is_measure: bool
    spark: str
    times: tuple[tuple[str, tuple[str, ...]], ...]
    received: str


def request_rows(totals: TotalFigures, series: ChartSeries, changes: BaselineChanges | None = None) -> list[RequestRow]:
    """Return the rows in the order of the embedded data: overall, groups, names. `changes`: since a baseline."""
    both = zip(series.scopes, totals.scopes(), strict=True)
    return [_row(index, scope, figures, changes) for index, (scope, figures) in enumerate(both)]


def _row(index: int, scope: ScopeSeries, figures: ScopeFigures, changes: BaselineChanges | None) -> RequestRow:
    success_ms, comparison = figures.success_ms, figures.service_ms or figures.estimate_ms
    failed = figures.failures
    moved = changes.scope(scope.kind, scope.name).get("p95") if changes else None
    cells = (
        Cell(count(figures.requests), figures.requests),
        Cell(f"{count(failed)} ({percentage(figures.failure_rate)})" if failed else "0", failed),
        Cell(figure(figures.requests_per_s), round(figures.requests_per_s or 0.0, 4)),
        *map(_time, (success_ms.mean, success_ms.p50, success_ms.p95, success_ms.p99, success_ms.max)),
        _time(comparison.p95 if comparison else None),
    )
    return RequestRow(
        index=index,
        kind="measure" if figures.kind == "measure" and scope.kind != "group" else scope.kind,
        group=scope.group,
        name=scope.name,
        cells=cells,
        since_baseline=_since_baseline(moved),
        since_interval=interval_text(moved.unit, moved.low, moved.high) if moved and moved.has_interval else "",
        has_failures=bool(failed),
        is_measure=figures.kind == "measure",
        spark=_spark(scope.success[-1]),
        times=_times(figures),
        received=size(figures.response_bytes),
    )


def _since_baseline(moved: ValueChange | None) -> Cell:
    if moved is None or moved.change is None:
        return Cell("-", -100.0)
    return Cell(change_text(moved.unit, moved.change), round(moved.change, 4))


def _times(figures: ScopeFigures) -> tuple[tuple[str, tuple[str, ...]], ...]:
    kinds = [
        ("Successes", figures.success_ms),
        ("Successes without the ramp", figures.steady_success_ms),
        ("Failures", figures.failure_ms),
        ("Service time of successes", figures.service_ms),
        ("Corrected estimate", figures.estimate_ms),
    ]
    return tuple(
        (label, tuple(milliseconds(times.model_dump()[key]) for key in TIMES))
        for label, times in kinds
        if times and times.max is not None
    )


def _time(value_ms: float | None) -> Cell:
    return Cell(milliseconds(value_ms), -1.0 if value_ms is None else round(value_ms, 3))


def _spark(line: Line) -> str:
    """Return the points of a sparkline: the highest p95 of each equal part of the run, without gaps."""
    values = [None if bucket < 0 else bucket_ms(bucket) for bucket in line.drawn[1]]
    size = max(1, -(-len(values) // _SPARK_POINTS))
    parts = [[value for value in values[at : at + size] if value is not None] for at in range(0, len(values), size)]
    highest = max((max(part) for part in parts if part), default=0.0)
    if not highest:
        return ""
    points = [
        (number / max(1, len(parts) - 1) * SPARK_WIDTH, SPARK_HEIGHT - 2 - max(part) / highest * (SPARK_HEIGHT - 4))
        for number, part in enumerate(parts)
        if part
    ]
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
