"""The live state of a run as short lines, for logs and plain terminals."""

from __future__ import annotations

from collections.abc import Iterable

from loadgate.live.resources import readings_line
from loadgate.live.state import LiveState
from loadgate.report.text import rule_quantity
from loadgate.rules import RuleOutcome, rule_conditions
from loadgate.run.document import RuleRecord
from loadgate.units import clock, count, given, per_second

PLAIN_COLUMNS = 100
"""The maximum length of a line."""

_SEPARATOR = " | "
_NEWEST = ", newest: "
_MIN_FAILURE_COLUMNS = 20
"""If there is less room, the newest failure is not shown."""


def plain_line(state: LiveState) -> str:
    """Return the state in one line of at most PLAIN_COLUMNS: time, stage, users, requests and failures.

    If there is room, the newest failure follows, or else the main resources of the target.
    """
    planned = f"/{clock(state.planned_s)}" if state.planned_s else ""
    parts = [
        f"{clock(state.elapsed_s)}{planned}{', waiting for the last responses' if state.is_stopping else ''}",
        state.stage,
        f"{count(state.users)} {'user' if state.users == 1 else 'users'}",
        f"{count(state.requests)} requests ({per_second(state.requests_per_s)})",
        f"{count(state.failures)} failed",
    ]
    line = _SEPARATOR.join(parts)
    room = PLAIN_COLUMNS - len(line)
    if state.newest_failure and room >= len(_NEWEST) + _MIN_FAILURE_COLUMNS:
        line += _NEWEST + state.newest_failure
    elif resources := readings_line(state.resources, room - len(_SEPARATOR)):
        line += _SEPARATOR + resources
    return _cut(line)


class RuleChanges:
    """Finds the rules whose outcome has changed. Before the first outcome, a rule counts as inconclusive."""

    def __init__(self) -> None:
        self._outcomes: dict[str, RuleOutcome] = {}

    def lines(self, rules: Iterable[RuleRecord]) -> list[str]:
        """Return a line of at most PLAIN_COLUMNS for each rule whose outcome differs from that in the last call."""
        found = []
        for rule in rules:
            if rule.outcome is not self._outcomes.get(rule.rule, RuleOutcome.INCONCLUSIVE):
                found.append(_rule_line(rule))
            self._outcomes[rule.rule] = rule.outcome
        return found


def _rule_line(rule: RuleRecord) -> str:
    """Return a rule's outcome, name, value and limit, as in `  pass: auth p95 82.1 ms < 500 ms`."""
    outcome = "FAIL" if rule.outcome is RuleOutcome.FAIL else rule.outcome
    limit = f"{rule.operator} {given(rule.limit, rule.unit)}"
    return _cut(f"  {outcome}: {rule_name(rule)} {rule_quantity(rule, rule.value)} {limit}")


def rule_name(rule: RuleRecord) -> str:
    """Return a rule without its limit, as in `auth p95 over 10 s`."""
    return f"{rule.scope} {rule.metric}{rule_conditions(rule)}"


def _cut(line: str) -> str:
    return line if len(line) <= PLAIN_COLUMNS else f"{line[: PLAIN_COLUMNS - 1]}…"
