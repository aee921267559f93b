"""What a run prints at its end: the verdict as a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadgate.report.text import (
    OUTCOME_WORDS,
    aligned,
    duration,
    number,
    percent,
    rule_limit,
    rule_quantity,
    rule_reason,
)


def verdict_text(document: Mapping[str, Any], report: Path | None) -> str:
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
    where = f"; report: {report}" if report is not None else ""
    lines = [
        "",
        *aligned(rows, right={2, 3}),
        "",
        *(f"! {note}" for note in verdict["notes"]),
        f"{measured}, {percent(overall['failure_rate'])} failed{where}",
        f"{OUTCOME_WORDS[verdict['outcome']]}: {verdict['reason']} (exit code {verdict['exit_code']})",
        "",
    ]
    return "\n".join(lines)
