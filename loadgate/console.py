"""What a run prints: one status line while it goes on, and the verdict as a table at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadgate.report.text import (
    OUTCOME_WORDS,
    duration,
    milliseconds,
    number,
    percent,
    rule_limit,
    rule_quantity,
    rule_reason,
)
from loadgate.rules import MetricKind
from loadgate.run_state import Run


def verdict_text(document: Mapping[str, Any], report: Path) -> str:
    """Return the verdict with a line for each rule: limit, measured value, samples, outcome, reason."""
    run, verdict, overall = document["run"], document["verdict"], document["totals"]["overall"]
    rows = [("RULE", "LIMIT", "MEASURED", "SAMPLES", "OUTCOME", "")]
    rows += [
        (
            f"{rule['scope']}: {rule['metric']}",
            rule_limit(rule),
            rule_quantity(rule, rule["value"]),
            number(rule["samples"]),
            OUTCOME_WORDS[rule["outcome"]],
            rule_reason(rule),
        )
        for rule in verdict["rules"]
    ]
    measured = f"{number(overall['requests'])} requests in {duration(run['duration_s'])}"
    lines = [
        "",
        *_aligned(rows),
        "",
        *(f"! {note}" for note in verdict["notes"]),
        f"{measured}, {percent(overall['failure_rate'])} failed; report: {report}",
        f"{OUTCOME_WORDS[verdict['outcome']]}: {verdict['reason']} (exit code {verdict['exit_code']})",
        "",
    ]
    return "\n".join(lines)


def status_line(run: Run, users: int) -> str:
    """Return how far a run is: time, users, requests, rate, failures, and each p95 beside its limit."""
    totals = run.recorder.totals()
    planned = f"/{run.plan.run_time_s:.0f}" if run.plan.run_time_s else ""
    rate = totals.requests / run.elapsed_s if run.elapsed_s > 0 else 0.0
    parts = [
        f"{run.elapsed_s:.0f}{planned} s",
        f"{users} users",
        f"{totals.requests} requests ({rate:.1f}/s)",
        f"{totals.failure.count} failed",
    ]
    for rule in run.plan.rules:
        if rule.metric.kind is MetricKind.PERCENTILE:
            value = run.recorder.totals(rule.scope).success.quantile(rule.metric.quantile)
            limit = milliseconds(rule.limit).removesuffix(" ms")
            parts.append(f"{rule.scope} {rule.metric} {milliseconds(value).removesuffix(' ms')} of {limit} ms")
    return " | ".join(parts)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    right = {2, 3}
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
