"""The changes of a run since its baseline. They describe and decide nothing: single runs differ by chance."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from loadgate.analysis.differences import Measured, difference
from loadgate.report.compare.values import METRICS
from loadgate.rules import Unit
from loadgate.run.document.baseline import BaselineRecord


@dataclass(frozen=True, slots=True)
class ValueChange:
    """The change of a value. It is relative, or a difference of shares for failures.

    `low` and `high` are the 95 % interval of the change, as far as the requests of both runs show it.
    """

    subject: str
    unit: Unit
    base: float
    head: float
    change: float | None
    low: float | None
    high: float | None

    @property
    def is_share(self) -> bool:
        """Return whether values are shares."""
        return self.unit == Unit.PERCENT

    @property
    def has_interval(self) -> bool:
        """Return whether a bound of the interval is known."""
        return self.low is not None or self.high is not None


@dataclass(frozen=True, slots=True)
class RunChanges:
    """The changes of rules, and of scopes by kind, name and metric."""

    rules: dict[str, ValueChange]
    scopes: dict[tuple[str, str], dict[str, ValueChange]]

    def scope(self, kind: str, name: str) -> dict[str, ValueChange]:
        """Return the changes of a scope by metric. Every kind other than `overall` and `group` is a request name."""
        return self.scopes.get((kind if kind in {"overall", "group"} else "name", name), {})


def changes_since(baseline: BaselineRecord, current: BaselineRecord) -> RunChanges:
    """Return the changes of the values that both have."""
    before = {rule.rule: rule for rule in baseline.rules}
    rules = {
        rule.rule: _change(rule.rule, rule.unit, before[rule.rule].measured, rule.measured)
        for rule in current.rules
        if rule.rule in before and before[rule.rule].unit == rule.unit
    }
    scopes: dict[tuple[str, str], dict[str, ValueChange]] = {}
    for scope in current.scopes:
        earlier = baseline.scope(scope.kind, scope.name)
        if earlier is not None:
            pairs = {metric: (earlier.measured(metric), scope.measured(metric)) for metric in METRICS}
            scopes[scope.kind, scope.name] = {
                metric: _change(f"{scope.name}: {metric}", Unit.PERCENT if metric == "failures" else Unit.MS, old, new)
                for metric, (old, new) in pairs.items()
                if old is not None and new is not None
            }
    return RunChanges(rules, scopes)


def _change(subject: str, unit: Unit, base: Measured, head: Measured) -> ValueChange:
    if unit == Unit.PERCENT:
        found = difference(base, head)
        return ValueChange(subject, unit, base.value, head.value, found.value, found.low, found.high)
    old, new = base.logarithm(), head.logarithm()
    if old is None or new is None:
        return ValueChange(subject, unit, base.value, head.value, None, None, None)
    found = difference(old, new)
    relative = (None if value is None else exp(min(value, 700.0)) - 1 for value in (found.value, found.low, found.high))
    return ValueChange(subject, unit, base.value, head.value, *relative)
