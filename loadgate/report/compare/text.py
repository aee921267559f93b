"""The comparison of runs as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadgate.report.compare.result import Compared, ComparedScope, RunComparison
from loadgate.report.compare.sides import ComparedRun
from loadgate.report.compare.values import METRICS, Window
from loadgate.report.text import OUTCOME_WORDS, SHORT_COMMIT, aligned, printable
from loadgate.report.value_changes import change_text, interval_text, json_unit, value_text
from loadgate.run.judgement import exit_code
from loadgate.units import UNKNOWN

WINDOWS = {
    Window.STEADY: "latencies: without the ramp; failures: of the whole run",
    Window.ALL: "latencies: with the ramp, because a run has too few requests without it; failures: of the whole run",
}
"""Which requests the values are about. A rule for a stage reads that stage."""

RULES_HEAD = ("RULE", "BASE", "HEAD", "CHANGE", "INTERVAL", "OUTCOME")


def comparison_text(found: RunComparison, columns: int | None = None) -> list[str]:
    """Return the comparison as lines: the runs, the remarks, the rules, the scopes, and the conclusion.

    If the table of rules is wider than `columns`, it becomes a list.
    """
    scopes = [("CHANGE OF", *METRICS), *map(_scope_cells, found.scopes)]
    lines = [
        f"base: {_runs(found.base)}",
        f"head: {_runs(found.head)}",
        *(f"! {remark.sentence}" for remark in found.remarks),
        WINDOWS[found.window],
        "",
        *_rules(found, columns),
        "",
        *(aligned(scopes, right=range(1, len(METRICS) + 1)) if found.scopes else []),
        "",
        f"{OUTCOME_WORDS[found.outcome]}: {found.reason} (exit code {exit_code(found.outcome)})",
    ]
    return [printable(line) for line in lines]


def _rules(found: RunComparison, columns: int | None) -> list[str]:
    if not found.rules:
        return ["the sides have no rule in common"]
    rows = [RULES_HEAD, *map(_rule_cells, found.rules)]
    table = aligned(rows, right={1, 2, 3})
    if columns is None or max(map(len, table)) <= columns:
        return table
    lines = []
    for rule, base, head, moved, interval, outcome in rows[1:]:
        lines += [f"{outcome} {rule}", f"  {base} -> {head}, {moved}, interval {interval}"]
    return lines


def comparison_json(found: RunComparison) -> dict[str, Any]:
    """Return the comparison as a JSON object. Relative changes and shares are fractions."""
    return {
        "outcome": found.outcome,
        "exit_code": exit_code(found.outcome),
        "reason": found.reason,
        "base": [run.name for run in found.base],
        "head": [run.name for run in found.head],
        "latencies": found.window,
        "remarks": [remark.sentence for remark in found.remarks],
        "rules": [_json(rule) for rule in found.rules],
        "scopes": [
            {"kind": scope.kind, "name": scope.name}
            | {name: _json(value) for name, value in zip(METRICS, scope.values, strict=True)}
            for scope in found.scopes
        ],
    }


def _runs(runs: Sequence[ComparedRun]) -> str:
    return ", ".join(f"{run.name}{_commit(run)}" for run in runs)


def _commit(run: ComparedRun) -> str:
    git = run.document.made_on.git
    if git is None:
        return ""
    return f" ({git.commit[:SHORT_COMMIT]}{', with local changes' if git.changed else ''})"


def _rule_cells(rule: Compared) -> tuple[str, ...]:
    of, difference = rule.quantity, rule.difference
    return (
        of.subject,
        value_text(of.unit, rule.base),
        value_text(of.unit, rule.head),
        change_text(of.unit, rule.change),
        interval_text(of.unit, *(rule.interval or (None, None))),
        UNKNOWN if difference is None or difference.low is None else OUTCOME_WORDS[difference.outcome],
    )


def _scope_cells(scope: ComparedScope) -> tuple[str, ...]:
    name = f"  {scope.name}" if scope.kind == "name" else scope.name
    return (name, *(change_text(value.quantity.unit, value.change) for value in scope.values))


def _json(compared: Compared) -> dict[str, Any]:
    of, difference = compared.quantity, compared.difference
    found: dict[str, Any] = {
        "rule": of.subject,
        "unit": json_unit(of.unit),
        "base": compared.base,
        "head": compared.head,
        "change": compared.change,
    }
    if difference is None:
        return found
    return found | {
        "interval": compared.interval,
        "p_value": difference.p_value,
        "judged_by": difference.basis,
        "outcome": difference.outcome,
    }
