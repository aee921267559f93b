"""The rows of the report's table of requests, each with its distribution of times as details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadgate.recorder.sketch import bucket_ms
from loadgate.report.html.percentiles import has_enough, percentile_text, samples_note
from loadgate.report.html.row_rules import RowRules
from loadgate.report.html.rules import change_interval
from loadgate.report.html.series import ChartSeries, Line, ScopeSeries
from loadgate.report.text import rule_limit
from loadgate.report.value_changes import change_text
from loadgate.rules import RuleOutcome
from loadgate.run.document import LatencyFigures, RuleRecord, ScopeFigures, TotalFigures
from loadgate.run.document.baseline import BaselineChanges, ValueChange
from loadgate.units import UNKNOWN, count, figure, milliseconds, percentage, size

TIMES = ("mean", "min", "p50", "p90", "p95", "p99", "p99.9", "max")
SPARK_WIDTH, SPARK_HEIGHT = 96, 22
_SPARK_POINTS = 32
_SHOWN = ("p50", "p95", "p99", "max")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers in the table of requests."""

    key: str
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A number as text, and its sort key. `title` explains the text, and `note` is written small below it."""

    text: str
    sort: float
    title: str = ""
    note: str = ""
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One scope: `index` is its position in the embedded data. `times` are rows: a label, a text for each of TIMES."""

    index: int
    kind: str
    group: str
    name: str
    cells: Mapping[str, Cell]
    """The cells by the keys of the columns."""
    breach_share: float
    is_measure: bool
    spark: str
    times: tuple[tuple[str, tuple[str, ...]], ...]
    received: str


def request_columns(
    rules: RowRules, reference: str, *, is_open: bool, has_changes: bool, of_measures: bool = False
) -> list[Column]:
    """Return the columns of the table of requests, or of measures. `reference` is the noun of the baseline."""
    noun = "Samples" if of_measures else "Requests"
    service = "p95 of the service times, which start when a request is sent; others start at the intended start"
    changes = f"Change of the p95 without the ramp since the {reference}. It does not affect the verdict"
    found = [
        *(Column(key, key, f"{key[1:]} % of the successful requests took at most this long") for key in _SHOWN[:-1]),
        Column("max", "Max", "The slowest successful request"),
        Column("limit", "Limit", "The limits of the rules on the request or, without one, on its group"),
        Column("breach", "Breach", "Share of the requests that count against the failed rule"),
        Column("failed", "Failed", "Number and share of failed requests"),
        Column("requests", noun, f"Finished {noun.lower()}, including failed ones"),
        Column("rate", "Samples/s" if of_measures else "Req/s", f"{noun} divided by the time of the load"),
        Column("service", "p95 service", service),
        Column("since", f"p95 since {reference}", changes),
    ]
    absent = {
        "limit": not rules.has_limits,
        "breach": of_measures or not rules.has_breaches,
        "failed": of_measures,
        "service": of_measures or not is_open,
        "since": not has_changes,
    }
    return [column for column in found if not absent.get(column.key)]


def request_rows(
    totals: TotalFigures, series: ChartSeries, rules: RowRules, changes: BaselineChanges | None = None
) -> list[RequestRow]:
    """Return the rows in the order of the embedded data: overall, groups, names. `changes`: since a baseline."""
    both = zip(series.scopes, totals.scopes(), strict=True)
    return [_row(index, scope, figures, rules, changes) for index, (scope, figures) in enumerate(both)]


def _row(
    index: int, scope: ScopeSeries, figures: ScopeFigures, rules: RowRules, changes: BaselineChanges | None
) -> RequestRow:
    place = (scope.kind, scope.group, scope.name)
    failed, samples = figures.failures, _samples(figures)
    applying = rules.of(*place)
    breach = rules.share(*place, figures)
    cells = {
        **{key: _time(key, figures.success_ms, samples, applying) for key in _SHOWN},
        "limit": _limit(applying, is_bad=breach is not None and breach.share > 0),
        "breach": Cell(percentage(breach.share), round(breach.share, 4), breach.title) if breach else _NONE,
        "failed": Cell(
            f"{count(failed)} ({percentage(figures.failure_rate)})" if failed else "0", failed, is_bad=bool(failed)
        ),
        "requests": Cell(count(figures.requests), figures.requests),
        "rate": Cell(figure(figures.requests_per_s), round(figures.requests_per_s or 0.0, 4)),
        "service": _time("p95", figures.service_ms, samples) if figures.service_ms else _NONE,
        "since": _since_baseline(changes.scope(scope.kind, scope.name).get("p95") if changes else None),
    }
    return RequestRow(
        index=index,
        kind="measure" if figures.kind == "measure" and scope.kind != "group" else scope.kind,
        group=scope.group,
        name=scope.name,
        cells=cells,
        breach_share=breach.share if breach else 0.0,
        is_measure=figures.kind == "measure",
        spark=_spark(scope.success[-1]),
        times=_times(figures),
        received=size(figures.response_bytes),
    )


_NONE = Cell(UNKNOWN, -1.0)


def _samples(figures: ScopeFigures) -> int:
    """Return the number of successful requests with a latency."""
    return sum(figures.distribution.success.samples)


def _limit(applying: Sequence[RuleRecord], *, is_bad: bool) -> Cell:
    if not applying:
        return _NONE
    has_failed = any(rule.outcome is RuleOutcome.FAIL for rule in applying)
    lines = (f"{rule.metric} {rule_limit(rule)}" for rule in applying)
    return Cell("\n".join(lines), applying[0].limit, is_bad=is_bad and has_failed)


def _time(key: str, times: LatencyFigures, samples: int, applying: Sequence[RuleRecord] = ()) -> Cell:
    """Return a latency. It is bad if it breaks the limit of a failed rule."""
    value_ms = times.model_dump()[key]
    if value_ms is None or not has_enough(key, samples):
        return Cell(UNKNOWN, -1.0, samples_note(key, samples))
    broken = [
        rule
        for rule in applying
        if rule.outcome is RuleOutcome.FAIL and rule.metric == key and not rule.operator.holds(value_ms, rule.limit)
    ]
    return Cell(milliseconds(value_ms), round(value_ms, 3), is_bad=bool(broken))


def _since_baseline(moved: ValueChange | None) -> Cell:
    if moved is None or moved.change is None:
        return Cell(UNKNOWN, -100.0)
    note = change_interval(moved) if moved.has_interval else ""
    return Cell(change_text(moved.unit, moved.change), round(moved.change, 4), note=note)


def _times(figures: ScopeFigures) -> tuple[tuple[str, tuple[str, ...]], ...]:
    samples, failed = _samples(figures), sum(figures.distribution.failure.samples)
    kinds = [
        ("Successes", figures.success_ms, samples),
        # The number of these is not known. It is at most that of all successes.
        ("Successes without the ramp", figures.steady_success_ms, samples),
        ("Failures", figures.failure_ms, failed),
        ("Service time of successes", figures.service_ms, samples),
        ("Corrected estimate", figures.estimate_ms, samples),
    ]
    return tuple(
        (label, tuple(percentile_text(key, times.model_dump()[key], number) for key in TIMES))
        for label, times, number in kinds
        if times and times.max is not None
    )


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
