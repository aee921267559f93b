"""Parts of the sentence that gives the reason of a result."""

from __future__ import annotations

from loadgate.analysis.interval import Interval
from loadgate.rules.types import Rule
from loadgate.units import count, given, given_percentage, quantity

_LARGE_DESIGN_EFFECT = 4.0
"""A reason states a design effect of at least this. The interval is then twice as wide as for independent requests."""


def shown(rule: Rule, value: float | None) -> str:
    """Return a value of a rule's metric with its unit."""
    return quantity(value, rule.unit, rule.limit)


def missed_limit(rule: Rule, value: float) -> str:
    """Return how a value misses the limit of its rule, as in `above the limit of 100 ms`."""
    if value == rule.limit:
        return f"which is not {rule.operator.value} {given(rule.limit, rule.unit)}"
    return f"{'above' if value > rule.limit else 'below'} the limit of {given(rule.limit, rule.unit)}"


def interval_note(rule: Rule, interval: Interval | None) -> str:
    """Return a clause if the limit lies inside the confidence interval, else ""."""
    if interval is None or not interval.contains(rule.limit):
        return ""
    low, high = ("?" if end is None else shown(rule, end) for end in (interval.low, interval.high))
    confidence = given_percentage(interval.confidence)
    if interval.high is None or interval.low is None:
        return f"; too few requests for a {confidence} confidence interval ({low} to {high})"
    return f"; the {confidence} confidence interval ({low} to {high}) includes the limit, so another run may differ"


def stall_note(samples: int, interval: Interval | None) -> str:
    """Return a clause if the requests depend on each other so much that they count as far fewer, else ""."""
    effect = interval.design_effect if interval is not None else None
    if effect is None or effect < _LARGE_DESIGN_EFFECT:
        return ""
    independent = max(1, round(samples / effect))
    return (
        f"; requests meet the same stalls, so {count(samples)} requests count as {count(independent)} independent ones"
    )
