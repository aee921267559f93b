"""The live state or the last verdict as a table, for the web UI."""

from __future__ import annotations

from typing import Any

from loadgate.live.resources import readings_line
from loadgate.live.state import LiveState
from loadgate.report.conclusion import Conclusion
from loadgate.report.text import OUTCOME_WORDS, rule_limit, rule_quantity, rule_reason
from loadgate.run.document import RuleRecord

COLUMNS = {
    "rule": "Rule",
    "limit": "Limit",
    "measured": "Measured",
    "samples": "Samples",
    "outcome": "Outcome",
    "why": "Why",
}


def table_rows(state: LiveState | None, conclusion: Conclusion | None) -> list[dict[str, Any]]:
    """Return the rows of the table: those of the current run, or else those of the last verdict."""
    if state is not None:
        resources = readings_line(state.resources)
        return [*map(_row, state.rules), *([_whole("resources", "", resources)] if resources else [])]
    if conclusion is None:
        return []
    verdict = conclusion.document.verdict
    return [*map(_row, verdict.rules), _whole("the run", OUTCOME_WORDS[verdict.outcome], verdict.reason)]


def _whole(what: str, outcome: str, why: str) -> dict[str, Any]:
    """Return a row that is not about a rule."""
    return dict.fromkeys(COLUMNS, "") | {"rule": what, "outcome": outcome, "why": why}


def _row(rule: RuleRecord) -> dict[str, Any]:
    return {
        "rule": f"{rule.scope}: {rule.metric}",
        "limit": rule_limit(rule),
        "measured": rule_quantity(rule, rule.value),
        "samples": rule.samples,
        "outcome": OUTCOME_WORDS[rule.outcome],
        "why": rule_reason(rule),
    }
