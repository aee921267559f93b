"""Parts of the sentence that gives the reason of a result."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Protocol

from loadgate.analysis.interval import Interval
from loadgate.rules.types import MetricKind, Rule, RuleResult
from loadgate.units import count, duration, given, given_percentage, quantity

_LARGE_DESIGN_EFFECT = 4.0
"""A reason states a design effect of at least this. The interval is then twice as wide as for independent requests."""

MAX_NAMED_RULES = 2
"""A verdict names the failed rules that miss their limits by the largest share, up to this number."""


class Conditioned(Protocol):
    """A rule, or its record."""

    @property
    def metric(self) -> Any:
        """Return the metric, whose text is its name."""

    @property
    def window_s(self) -> int | None:
        """Return the length of the windows."""

    @property
    def stage(self) -> str | None:
        """Return the stage that the rule reads."""

    @property
    def compared_with(self) -> str | None:
        """Return the stage by whose value the value is divided."""

    @property
    def capacity(self) -> float | None:
        """Return the limit of the resource."""

    @property
    def in_mb(self) -> bool:
        """Return whether `capacity` is in MB."""


def rule_conditions(rule: Conditioned) -> str:
    """Return what a rule reads, as in ` over 10 s in ramp`, ` after rush`, ` of 512 MB`. "" for the whole run."""
    if rule.capacity is not None:
        return f" of {given(rule.capacity)}{' MB' if rule.in_mb else ''}"
    window = f" over {duration(rule.window_s)}" if rule.window_s else ""
    preposition = "after" if str(rule.metric) == MetricKind.RECOVERY else "in"
    stage = f" {preposition} {rule.stage}" if rule.stage else ""
    return window + stage + (f", compared with {rule.compared_with}" if rule.compared_with else "")


def failed_rules(results: Sequence[RuleResult]) -> str:
    """Return the failed rules, the worst ones first, as in `auth p95 1,110 ms (limit 500 ms) and 2 more rules`."""
    worst = sorted(results, key=lambda result: -inf if result.margin is None else result.margin)
    names = [_failed_rule(result) for result in worst[:MAX_NAMED_RULES]]
    if more := len(worst) - len(names):
        names.append(f"{count(more)} more {'rule' if more == 1 else 'rules'}")
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _failed_rule(result: RuleResult) -> str:
    rule, value = result.rule, result.value
    measured = f" {shown(rule, value)}" if value is not None else ""
    is_above = rule.operator.bounds_from_above and value != rule.limit
    limit = f"{'' if is_above else f'{rule.operator.value} '}{given(rule.limit, rule.unit)}"
    return f"{rule.scope} {rule.metric}{rule_conditions(rule)}{measured} (limit {limit})"


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
    confidence = given_percentage(interval.confidence)
    if interval.high is None or interval.low is None:
        return f"; too few requests for a {confidence} confidence interval"
    low, high = shown(rule, interval.low), shown(rule, interval.high)
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
