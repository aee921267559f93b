"""Texts of the report's table of rules, and the bars that show values and limits."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.report.text import rule_limit, rule_quantity
from loadgate.report.value_changes import interval_text
from loadgate.run.document import RuleRecord
from loadgate.run.document.baseline import ValueChange
from loadgate.units import percentage

GAUGE_WIDTH = 150.0
GAUGE_LIMIT = 100.0
"""The place of the limit, which is the same in all bars. A bar ends at 1.5 times the limit."""

TOO_FEW = "too few requests for an interval"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A bar with the value and the confidence interval, in units of which `GAUGE_WIDTH` is the end of the bar.

    The ends of the interval are None if they are unknown, or if the whole interval is beyond the end of the bar.
    """

    value: float
    is_beyond: bool
    """Whether the value is beyond the end of the bar."""
    low: float | None
    high: float | None


def rule_condition(rule: RuleRecord) -> str:
    """Return the limit of a rule without a line break after its operator or before its unit."""
    return rule_limit(rule).replace(" ", "\N{NO-BREAK SPACE}", 2)


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


def rule_why(rule: RuleRecord, cause: str | None = None) -> str:
    """Return the reason of a result, as a sentence without the value and the limit, which the row shows.

    `cause` is a sentence that the row shows as well.
    """
    first, _, more = rule.reason.partition("; ")
    is_explained = more or cause or rule.outcome == "pass"
    repeats = rule.value is not None and rule_quantity(rule, rule.value) in first and is_explained
    why = more if repeats else rule.reason
    if rule.stages != "all" and rule.value_all_stages is not None:
        with_ramp = f"with the ramp, it is {rule_quantity(rule, rule.value_all_stages)}"
        why = f"{why}; {with_ramp}" if why else with_ramp
    return why[:1].upper() + why[1:]


def rule_interval(rule: RuleRecord) -> str:
    """Return the confidence interval, or that there are too few requests for it. "" if there is none."""
    interval = rule.interval
    if interval is None:
        return ""
    if interval.low is None or interval.high is None:
        return TOO_FEW
    return f"{rule_quantity(rule, interval.low)} to {rule_quantity(rule, interval.high)}"


def change_interval(moved: ValueChange) -> str:
    """Return the interval of a change since a baseline, or that there are too few requests for it."""
    is_one_sided = (moved.low is None) != (moved.high is None)
    return TOO_FEW if is_one_sided else interval_text(moved.unit, moved.low, moved.high)


def rule_gauge(rule: RuleRecord) -> Gauge | None:
    """Return the bar of a rule. None if it has no value or a limit of 0."""
    if rule.value is None or not rule.limit:
        return None

    def at(value: float) -> float:
        return round(min(GAUGE_WIDTH, max(0.0, value / rule.limit * GAUGE_LIMIT)), 1)

    bounds = (rule.interval.low, rule.interval.high) if rule.interval else (None, None)
    low, high = (None if bound is None else at(bound) for bound in bounds)
    is_visible = low is not None and high is not None and low < GAUGE_WIDTH
    is_beyond = rule.value / rule.limit * GAUGE_LIMIT > GAUGE_WIDTH
    return Gauge(at(rule.value), is_beyond, low if is_visible else None, high if is_visible else None)
