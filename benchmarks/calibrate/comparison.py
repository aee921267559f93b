"""Compare reported with true values: errors, bars and table. Pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from loadgate.recorder.sketch import nearest_rank

PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9")


@dataclass(frozen=True, slots=True)
class Bar:
    """The largest error allowed: a share of the true value or so many ms, whichever is more."""

    share: float
    ms: float = 0.0

    def allows(self, error_ms: float, true_ms: float) -> bool:
        return abs(error_ms) <= max(self.share * true_ms, self.ms)


ESTIMATE_SHARE = 0.1
"""How far an estimate of what a closed model hid may be from the truth."""

BARS = dict.fromkeys(PERCENTILES, Bar(0.01, 0.3)) | {"p99.9": Bar(0.02)}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as loadgate reports it, and as it is."""

    name: str
    reported: float
    true: float

    @property
    def error(self) -> float:
        return self.reported - self.true


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run: latencies of successful requests in ms by percentile, and counts."""

    case: str
    latencies: tuple[Figure, ...]
    counts: tuple[Figure, ...]
    estimates: tuple[Figure, ...] = ()
    """What is reported of requests that a closed model kept from being sent."""
    round_trip_ms: float = 0.0
    """The median round trip of a bare socket during the run: what lies between any client and the server's stamps."""

    def without_estimates(self) -> Comparison:
        return replace(self, estimates=())

    def misses(self, bars: Mapping[str, Bar]) -> list[str]:
        """One line for each figure beyond its bar."""
        late = [figure for figure in self.latencies if not bars[figure.name].allows(figure.error, figure.true)]
        wrong = [figure for figure in self.counts if figure.error]
        off = [figure for figure in self.estimates if abs(figure.error) > ESTIMATE_SHARE * figure.true]
        return [
            f"{self.case}: {figure.name} is reported as {figure.reported:g}, in truth {figure.true:g}"
            for figure in (*late, *wrong, *off)
        ]


def latency_figures(reported_ms: Mapping[str, float | None], true_ms: Sequence[float]) -> tuple[Figure, ...]:
    """The percentiles of both; `true_ms` are single times in any order, at least one."""
    ordered = sorted(true_ms)
    return tuple(
        Figure(name, reported_ms[name] or math.nan, ordered[nearest_rank(float(name[1:]) / 100, len(ordered)) - 1])
        for name in PERCENTILES
    )


def median_of(runs: Sequence[Comparison]) -> Comparison:
    """One comparison from an odd number of runs of a case: of each latency the median error, of counts the worst."""
    middle = len(runs) // 2
    return Comparison(
        case=f"{runs[0].case} (median of {len(runs)})",
        latencies=tuple(
            sorted(figures, key=lambda figure: figure.error / figure.true)[middle]
            for figures in zip(*(run.latencies for run in runs), strict=True)
        ),
        counts=tuple(
            max(figures, key=lambda figure: abs(figure.error))
            for figures in zip(*(run.counts for run in runs), strict=True)
        ),
        estimates=tuple(
            max(figures, key=lambda figure: abs(figure.error))
            for figures in zip(*(run.estimates for run in runs), strict=True)
        ),
        round_trip_ms=statistics.median(run.round_trip_ms for run in runs),
    )


def table(comparisons: Sequence[Comparison], bars: Mapping[str, Bar]) -> str:
    """A Markdown table: a row for each run; in each cell the reported figure, the true one and the error."""
    percentiles = [f"{name} ms" for name in PERCENTILES]
    head = ["responses, model, processes", "requests", "failures", *percentiles, "bare socket"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1), *(_row(comparison, bars) for comparison in comparisons)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def _row(comparison: Comparison, bars: Mapping[str, Bar]) -> list[str]:
    counts = [
        f"{figure.reported:g} of {figure.true:g}{'' if not figure.error else ' !'}" for figure in comparison.counts
    ]
    cells = [
        f"{figure.reported:.1f} ({figure.true:.1f}, {figure.error / figure.true:+.2%})"
        + ("" if bars[figure.name].allows(figure.error, figure.true) else " !")
        for figure in comparison.latencies
    ]
    return [comparison.case, *counts, *cells, f"{comparison.round_trip_ms:.2f} ms"]
