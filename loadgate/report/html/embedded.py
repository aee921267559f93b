"""The data for the report's script: compressed JSON with columns of small integers, in base64."""

from __future__ import annotations

import json
import math
import shlex
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from loadgate.recorder import LatencySketch
from loadgate.recorder.sketch import nearest_rank
from loadgate.report.html.facts import cut_short_by_target
from loadgate.report.html.grid import READABLE_SLOTS
from loadgate.report.html.heat import HEAT_SHIFT
from loadgate.report.html.load import arrivals_per_s, late_per_s
from loadgate.report.html.resources import resource_charts
from loadgate.report.html.series import ChartSeries, Line, ScopeSeries, chart_series, names_grid
from loadgate.report.resources import ResourceLine
from loadgate.rules import rule_conditions
from loadgate.run.document import LatencyFigures, RunDocument, ScopeFigures
from loadgate.run.document.baseline import BaselineRecord
from loadgate.units import duration, given, milliseconds, plain

SPECTRUM_STEP = 0.05
"""Step of the percentile spectrum in log10(1 / (1 - p)): 20 points from p90 to p99, and 20 from p99 to p99.9."""

# The highest level takes 0.1 s more for a run of ten minutes, and saves 2.4 %.
_ZLIB_LEVEL = 9


def run_series(document: RunDocument) -> ChartSeries:
    """Return the series of a whole run, for the page and other files."""
    return chart_series(document, document.run.started_s, document.run.ended_s)


def embedded_data(document: RunDocument, series: ChartSeries, resources: Sequence[ResourceLine]) -> dict[str, Any]:
    """Return the data for the script."""
    run = document.run
    started_s, ended_s = run.started_s, run.ended_s
    names_from = names_grid(series)
    planned, late = ([per_s(document, grid) for grid in series.grids] for per_s in (arrivals_per_s, late_per_s))
    return {
        "started_s": started_s,
        "command": shlex.join(run.command),
        "duration_s": run.duration_s,
        "end_s": round(max(ended_s - started_s, run.duration_s, 1.0), 3),
        "ending": "target ended" if cut_short_by_target(document) else run.ending,
        "grids": [
            {
                "offset_s": round(grid.start_s - started_s, 3),
                "width_s": grid.width_s,
                "width": duration(grid.width_s),
                "count": grid.count,
            }
            for grid in series.grids
        ],
        "readable_slots": READABLE_SLOTS,
        "stages": [[round(since_s - started_s, 3), stage] for since_s, stage in document.stages],
        "users": [users or 0 for users in series.grids[0].peaks(document.user_counts)],
        "planned": None if planned[0] is None else planned,
        "late": None if late[0] is None else late,
        "heat_grid": names_from,
        "heat_shift": HEAT_SHIFT,
        "spectrum_step": SPECTRUM_STEP,
        "scopes": [
            _scope(scope, figures, document, names_from)
            for scope, figures in zip(series.scopes, document.totals.scopes(), strict=True)
        ],
        "resources": resource_charts(resources, series.grids),
    }


def packed(data: Mapping[str, Any]) -> str:
    """Return the data as base64 of zlib-compressed JSON, which has a third of the size of plain JSON."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return b64encode(zlib.compress(text.encode("ascii"), _ZLIB_LEVEL)).decode("ascii")


def _scope(scope: ScopeSeries, figures: ScopeFigures, document: RunDocument, names_from: int) -> dict[str, Any]:
    first = names_from if scope.heat is None else 0
    success, failure = scope.success[first:], scope.failure[first:]
    data: dict[str, Any] = {
        "kind": scope.kind,
        "name": scope.name,
        "success": _outcome(success, figures.success_ms, with_dots=scope.heat is not None),
        "failure": _outcome(failure, figures.failure_ms) if any(failure[0].counts) else None,
        "limits": _limits(scope, document),
        "baseline": _baseline(scope, document.baseline if document.since_baseline else None),
        "comparison": _comparison(figures),
    }
    if scope.heat is not None:
        data["heat"] = {"used": scope.heat.used, "rows": scope.heat.rows, "samples": scope.heat.samples}
        data["in_flight"] = [round(mean, 2) for mean in scope.in_flight]
    return data


def _outcome(lines: Sequence[Line], latency_ms: LatencyFigures, *, with_dots: bool = False) -> dict[str, Any]:
    """Return the line on each grid, and the spectrum. Percentiles are buckets of the sketch, -1 without samples.

    `points` are the numbers of slots that a point of p50, p95 and p99 covers; 0 if there are too few samples for a
    line. `with_dots` adds the p95 of each slot, if a point of the line covers more than one.
    """
    return {
        "lines": [
            {
                "counts": line.counts,
                "points": line.slots_per_point,
                **dict(zip(("p50", "p95", "p99"), line.drawn, strict=True)),
                **({"slot_p95": line.percentiles[1]} if with_dots and line.slots_per_point[1] > 1 else {}),
                "max": line.largest,
            }
            for line in lines
        ],
        "spectrum": _spectrum(lines[0].total),
        "samples": lines[0].total.count,
        "max_ms": latency_ms.max,
    }


def _spectrum(total: LatencySketch) -> list[int]:
    """Return the buckets of percentiles at equal steps of log10(1 / (1 - p)), up to the last one below the maximum."""
    if not total.count:
        return []
    steps = range(math.floor(math.log10(total.count) / SPECTRUM_STEP) + 1)
    return total.bucket_indices(nearest_rank(1 - 10 ** (-step * SPECTRUM_STEP), total.count) for step in steps)


def _limits(scope: ScopeSeries, document: RunDocument) -> list[dict[str, Any]]:
    """Return the latency rules of a scope.

    `worst_s` is the start of a rule's worst window, and `broken` the time in which a failed rule was broken.
    """
    started_s = document.run.started_s
    broken = {breach.rule: breach.spans for breach in document.conclusions.breaches}
    return [
        {
            "metric": rule.metric,
            "ms": rule.limit,
            "text": given(rule.limit, "ms") + rule_conditions(rule),
            "over_s": rule.window_s,
            "outcome": rule.outcome,
            "worst_s": None if rule.window_start_s is None else round(rule.window_start_s - started_s, 1),
            "broken": [[round(at_s - started_s, 1) for at_s in span] for span in broken.get(rule.rule, [])],
        }
        for rule in document.verdict.rules
        if rule.unit == "ms" and rule.scope == scope.name
    ]


def _baseline(scope: ScopeSeries, baseline: BaselineRecord | None) -> list[dict[str, Any]]:
    """Return the p95 of the baseline, which the chart of response times shows. Empty without one."""
    found = baseline.scope(scope.kind, scope.name) if baseline is not None else None
    value = found.measured("p95") if found is not None else None
    if baseline is None or value is None:
        return []
    return [{"ms": value.value, "text": milliseconds(value.value), "of": baseline.noun}]


def _comparison(figures: ScopeFigures) -> dict[str, Any] | None:
    """Return percentiles for comparison with the latencies: of the service times, or of the corrected latencies."""
    for values, label in ((figures.service_ms, "service time"), (figures.estimate_ms, "corrected")):
        if values:
            named = values.model_dump()
            return {
                "label": label,
                "points": [[percent, named[f"p{plain(percent)}"]] for percent in (50, 90, 95, 99, 99.9)],
            }
    return None
