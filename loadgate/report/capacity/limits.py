"""The rules on the capacity itself, such as `capacity >= 150/s`, judged by the bounds of a search."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate.analysis.capacity.plan import End
from loadgate.report.capacity.document import LimitRecord
from loadgate.rules import Rule, RuleOutcome
from loadgate.units import given


def judged_limits(rules: Sequence[Rule], end: End) -> list[LimitRecord]:
    """Return the outcome of each rule.

    It holds if the confirmed lower bound satisfies it, and fails if the upper bound is not above its limit, because the
    capacity is below that bound.
    """
    return [_judged(rule, end) for rule in rules]


def _judged(rule: Rule, end: End) -> LimitRecord:
    holds, breaks = (None if rate is None else given(rate, "/s") for rate in (end.holds, end.breaks))
    if end.breaks is not None and end.breaks <= rule.limit:
        outcome, reason = RuleOutcome.FAIL, f"breaks at {breaks}"
    elif end.holds is None or not rule.operator.holds(end.holds, rule.limit):
        outcome, reason = RuleOutcome.INCONCLUSIVE, f"undecided: {_known(holds, breaks)}"
    elif not end.is_confirmed:
        outcome, reason = RuleOutcome.INCONCLUSIVE, f"undecided: holds at {holds}, but this is not confirmed"
    else:
        outcome, reason = RuleOutcome.PASS, f"holds at {holds}"
    return LimitRecord(rule=str(rule), outcome=outcome, reason=reason)


def _known(holds: str | None, breaks: str | None) -> str:
    """Return what is known of the capacity, one clause."""
    found = [*([f"holds at {holds}"] if holds else []), *([f"breaks at {breaks}"] if breaks else [])]
    return " and ".join(found) or "no bound was found"
