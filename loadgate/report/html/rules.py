"""The rows of the report's table of rules: limit, value, margin and samples, and a bar that shows them."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.report.text import rule_limit, rule_quantity, rule_reason
from loadgate.run.document import RuleRecord
from loadgate.units import count, percentage

GAUGE_WIDTH = 150.0
_ROOM = 1.5
"""A bar ends at this multiple of the limit, or at the value if that is higher."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A bar of `GAUGE_WIDTH` with the value, the limit and the confidence interval. None means unknown."""

    value: float
    limit: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule, as text."""

    outcome: str
    scope: str
    metric: str
    limit: str
    value: str
    margin: str
    samples: str
    interval: str
    reason: str
    gauge: Gauge | None


def rule_row(rule: RuleRecord) -> RuleRow:
    """Return the row of one rule of run.json's verdict."""
    return RuleRow(
        outcome=rule.outcome,
        scope=rule.scope,
        metric=rule.metric,
        limit=rule_limit(rule),
        value=rule_quantity(rule, rule.value),
        margin=_margin(rule),
        samples=count(rule.samples),
        interval=_interval(rule),
        reason=rule_reason(rule),
        gauge=_gauge(rule),
    )


def _margin(rule: RuleRecord) -> str:
    margin = rule.margin
    if margin is None:
        return "-"
    if not margin:
        return "at the limit"
    if margin > 0:
        return f"{percentage(margin)} to spare"
    return f"{percentage(-margin)} too {'high' if rule.operator.startswith('<') else 'low'}"


def _interval(rule: RuleRecord) -> str:
    interval = rule.interval
    if not interval:
        return ""
    low, high = ("?" if end is None else rule_quantity(rule, end) for end in (interval.low, interval.high))
    return f"{low} to {high}"


def _gauge(rule: RuleRecord) -> Gauge | None:
    if rule.value is None or not rule.limit:
        return None

    end: float = max(_ROOM, rule.value / rule.limit * 1.08) * rule.limit

    def at(value: float) -> float:
        return round(min(GAUGE_WIDTH, max(0.0, value / end * GAUGE_WIDTH)), 1)

    bounds = (rule.interval.low, rule.interval.high) if rule.interval else (None, None)
    low, high = (None if bound is None else at(bound) for bound in bounds)
    return Gauge(at(rule.value), at(rule.limit), low, high)
