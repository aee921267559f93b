"""Texts of rules and tables that the console, the report and the summary share."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from loadgate.rules import rule_conditions
from loadgate.run.document import RuleRecord
from loadgate.run.document.verdict import VerdictRecord
from loadgate.units import given, quantity

SHORT_COMMIT = 12
"""Characters of a commit that are shown."""

OUTCOME_WORDS = {"pass": "PASS", "fail": "FAIL", "inconclusive": "INCONCLUSIVE"}


def rule_quantity(rule: RuleRecord, value: float | None) -> str:
    """Return a rule's value with its unit, and with enough digits to distinguish it from the limit."""
    return quantity(value, rule.unit, rule.limit)


def rule_limit(rule: RuleRecord) -> str:
    """Return the condition of a rule, as in `< 100 ms over 10 s in ramp`."""
    return f"{rule.operator} {rule_limit_value(rule)}{rule_conditions(rule)}"


def rule_limit_value(rule: RuleRecord) -> str:
    """Return the limit of a rule, as in `100 ms`."""
    return given(rule.limit, rule.unit)


def rule_subject(rule: RuleRecord) -> str:
    """Return a rule without its limit, as in `auth: p95 over 10 s`. It names the value over many runs."""
    return f"{rule.scope}: {rule.metric}{rule_conditions(rule)}"


def rule_reason(rule: RuleRecord) -> str:
    """Return the reason for a rule's outcome. If its value excludes the ramp, add the value that includes the ramp."""
    if rule.stages == "all" or rule.value_all_stages is None:
        return rule.reason
    return f"{rule.reason} (without the ramp; {rule_quantity(rule, rule.value_all_stages)} with it)"


def further_notes(verdict: VerdictRecord) -> list[str]:
    """Return the notes of a verdict that its reason does not contain."""
    return [note for note in verdict.notes if note not in verdict.reason]


def verdict_sentence(verdict: VerdictRecord) -> str:
    """Return the reason of a verdict as the start of a sentence. The name of a rule keeps its first letter."""
    reason = verdict.reason
    if any(reason.startswith(rule.scope) for rule in verdict.rules):
        return reason
    return reason[:1].upper() + reason[1:]


def target_end(ended: str) -> str:
    """Return how a managed target ended, without its last log lines, as in `the target ended with exit code 3`."""
    return ended.splitlines()[0].removesuffix("; its last lines:")


def printable(value: str) -> str:
    """Return external text as one line without control characters and lone surrogates."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in value)


def aligned(rows: Sequence[tuple[str, ...]], right: Collection[int]) -> list[str]:
    """Return a table, one line per row. `right` are the right-aligned columns. The last column has no fixed width."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
