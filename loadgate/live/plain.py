"""The live state of a run as one line, for logs and plain terminals."""

from __future__ import annotations

from loadgate.live.resources import readings_line
from loadgate.live.state import LiveState
from loadgate.report.text import rule_conditions, rule_quantity
from loadgate.rules import RuleOutcome
from loadgate.run.document import RuleRecord
from loadgate.units import clock, count, given, per_second

RESOURCE_COLUMNS = 120
"""The maximum length of the part about resources. Those that do not fit are in the report."""

FAILURE_COLUMNS = 80
"""The maximum length of the newest failure."""


def plain_line(state: LiveState) -> str:
    """Return the state in one line: time, stage, users, rates, each rule with its value, and the main resources."""
    planned = f"/{clock(state.planned_s)}" if state.planned_s else ""
    parts = [
        f"{clock(state.elapsed_s)}{planned}{', waiting for the last responses' if state.is_stopping else ''}",
        state.stage,
        f"{count(state.users)} {'user' if state.users == 1 else 'users'}",
        f"{count(state.requests)} requests ({per_second(state.requests_per_s)})",
        _failures(state),
        *(rule_words(rule) for rule in state.rules),
        *([readings_line(state.resources, RESOURCE_COLUMNS)] if state.resources else []),
    ]
    return " | ".join(parts)


def _failures(state: LiveState) -> str:
    """Return the number of failures, as in `7 failed, newest: Login: returned 500, expected 200`."""
    newest = state.newest_failure
    if len(newest) > FAILURE_COLUMNS:
        newest = f"{newest[: FAILURE_COLUMNS - 1]}…"
    return f"{count(state.failures)} failed" + (f", newest: {newest}" if newest else "")


def rule_words(rule: RuleRecord) -> str:
    """Return a rule's name, value, limit and outcome, as in `auth p95 82.1 ms < 500 ms pass`."""
    outcome = "FAIL" if rule.outcome is RuleOutcome.FAIL else rule.outcome
    limit = f"{rule.operator} {given(rule.limit, rule.unit)}"
    return f"{rule_name(rule)} {rule_quantity(rule, rule.value)} {limit} {outcome}"


def rule_name(rule: RuleRecord) -> str:
    """Return a rule without its limit, as in `auth p95 over 10 s`."""
    return f"{rule.scope} {rule.metric}{rule_conditions(rule)}"
