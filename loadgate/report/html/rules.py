"""Texts of the report's table of rules, and the bars that show values and limits."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.report.text import rule_quantity
from loadgate.run.document import RuleRecord
from loadgate.units import percentage

GAUGE_WIDTH = 150.0
_ROOM = 1.5
"""A bar ends at this multiple of the limit, or just above the value if that is higher."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A bar of `GAUGE_WIDTH` with the value, the limit and the confidence interval. None means unknown."""

    value: float
    limit: float
    low: float | None
    high: float | None


def rule_margin(rule: RuleRecord) -> str:
    """Return the distance to the limit as a share of the limit."""
    margin = rule.margin
    if margin is None:
        return "-"
    if not margin:
        return "at the limit"
    if margin > 0:
        return f"{percentage(margin)} to spare"
    return f"{percentage(-margin)} too {'high' if rule.operator.startswith('<') else 'low'}"


def rule_why(rule: RuleRecord) -> str:
    """Return the reason of a result, as a sentence without the value and the limit, which the row shows."""
    first, _, more = rule.reason.partition("; ")
    repeats = rule.value is not None and rule_quantity(rule, rule.value) in first and (more or rule.outcome == "pass")
    why = more if repeats else rule.reason
    if rule.stages != "all" and rule.value_all_stages is not None:
        with_ramp = f"with the ramp, it is {rule_quantity(rule, rule.value_all_stages)}"
        why = f"{why}; {with_ramp}" if why else with_ramp
    return why[:1].upper() + why[1:]


def rule_interval(rule: RuleRecord) -> str:
    """Return the confidence interval. "" if there are too few requests for both of its bounds."""
    interval = rule.interval
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f"{rule_quantity(rule, interval.low)} to {rule_quantity(rule, interval.high)}"


def rule_gauge(rule: RuleRecord) -> Gauge | None:
    """Return the bar of a rule. None if it has no value or a limit of 0."""
    if rule.value is None or not rule.limit:
        return None

    end: float = max(_ROOM, rule.value / rule.limit * 1.08) * rule.limit

    def at(value: float) -> float:
        return round(min(GAUGE_WIDTH, max(0.0, value / end * GAUGE_WIDTH)), 1)

    bounds = (rule.interval.low, rule.interval.high) if rule.interval else (None, None)
    low, high = (None if bound is None else at(bound) for bound in bounds)
    return Gauge(at(rule.value), at(rule.limit), low, high)
