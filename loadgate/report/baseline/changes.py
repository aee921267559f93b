"""Compute the changes of a run since its baseline."""

from __future__ import annotations

from math import exp

from loadgate.analysis.differences import Measured, difference
from loadgate.report.compare.values import METRICS
from loadgate.rules import Unit
from loadgate.run.document.baseline import BaselineChanges, BaselineRecord, BaselineScope, ScopeChanges, ValueChange


def changes_since(baseline: BaselineRecord, current: BaselineRecord) -> BaselineChanges:
    """Return the changes of the values that both have."""
    before = {rule.rule: rule for rule in baseline.rules}
    rules = [
        _change(rule.rule, rule.unit, before[rule.rule].measured, rule.measured)
        for rule in current.rules
        if rule.rule in before and before[rule.rule].unit == rule.unit
    ]
    pairs = ((baseline.scope(scope.kind, scope.name), scope) for scope in current.scopes)
    return BaselineChanges(rules=rules, scopes=[_scope(old, new) for old, new in pairs if old is not None])


def _scope(before: BaselineScope, after: BaselineScope) -> ScopeChanges:
    values = {}
    for metric in METRICS:
        old, new = before.measured(metric), after.measured(metric)
        if old is not None and new is not None:
            unit = Unit.PERCENT if metric == "failures" else Unit.MS
            values[metric] = _change(f"{after.name}: {metric}", unit, old, new)
    return ScopeChanges(kind=after.kind, name=after.name, values=values)


def _change(subject: str, unit: Unit, base: Measured, head: Measured) -> ValueChange:
    change = low = high = None
    if unit == Unit.PERCENT:
        found = difference(base, head)
        change, low, high = found.value, found.low, found.high
    else:
        old, new = base.logarithm(), head.logarithm()
        if old is not None and new is not None:
            found = difference(old, new)
            change, low, high = (_relative(value) for value in (found.value, found.low, found.high))
    return ValueChange(subject=subject, unit=unit, base=base.value, head=head.value, change=change, low=low, high=high)


def _relative(logarithm: float | None) -> float | None:
    return None if logarithm is None else exp(min(logarithm, 700.0)) - 1
