"""Sentences about changes."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate import units
from loadgate.analysis.ab.decision import MOST_PAIRS
from loadgate.analysis.ab.result import Change
from loadgate.analysis.ab.segments import ChangeUnit, Margins, Measure, MeasureKind
from loadgate.analysis.decision import RuleOutcome


def sentence(change: Change) -> str:
    """Return the sentence about a measure, such as `auth: p95 is 12.0 % slower (+8.1 to +16.2 %), 412 ms instead of …`.

    If the interval contains 0, it has no direction: `… is not clearly different: +1.20 % (-3.2 to +6.1 %), …`.
    """
    value, interval, measure = change.change, change.interval, change.measure
    if value is None:
        return f"{measure}: {change.reason}"
    subject = f"{measure} {'are' if measure.kind is MeasureKind.FAILURES else 'is'}"
    if interval is None or interval.low is None or interval.high is None:
        return f"{subject} {_directed(measure, value)}, {_values(change)}; {change.reason}"
    bounds = f"({signed_range(measure, interval.low, interval.high)})"
    if measure.unit is ChangeUnit.BYTES:
        grows = f"{measure} grows by {value_text(measure, change.head)} per request instead of"
        return f"{grows} {value_text(measure, change.base)}: {signed(measure, value)} {bounds}"
    if interval.low <= 0 <= interval.high:
        return f"{subject} not clearly different: {signed(measure, value)} {bounds}, {_values(change)}"
    return f"{subject} {_directed(measure, value)} {bounds}, {_values(change)}"


def reason(change: Change, margins: Margins, *, is_above_ignore: bool) -> str:
    """Return why a measure has its outcome, one clause. `is_above_ignore`: its lower bound is above `ignore`."""
    ignore, worse = _margins(change, margins)
    direction = "slower" if change.measure.unit is ChangeUnit.PERCENT else "higher"
    decides = change.p_value is not None
    if change.outcome is RuleOutcome.PASS:
        return f"less than {worse} {direction}"
    if change.interval is None:
        return "there are too few pairs for an interval"
    if is_above_ignore and (change.outcome is RuleOutcome.FAIL or not decides):
        return f"more than {ignore} {direction}"
    if is_above_ignore:
        found = f"not significant, p = {units.figure(change.p_value)} (adjusted for all rules)"
    else:
        found = f"less than {ignore} and more than {worse} {direction} are both possible"
    return (
        f"{found}; even {units.count(MOST_PAIRS)} pairs would not decide"
        if decides and not change.more_pairs
        else found
    )


def failed(worst: Change, failing: int) -> str:
    """Return the conclusion of a fail. `failing` is the number of rules that fail."""
    others = failing - 1
    more = f"; {units.count(others)} more rule{'s fail' if others > 1 else ' fails'}" if others else ""
    return sentence(worst) + more


def faulty(faults: int, pairs: int, first: str) -> str:
    """Return the conclusion if only the target of head has faults. `first` is the clause about the first of them."""
    return f"head had faults in {units.count(faults)} of {units.count(pairs)} pairs, and base in none: {first}"


def passed(closest: Change, margins: Margins, rules: int) -> str:
    """Return the conclusion of a pass. `closest` is the rule whose interval comes closest to its margin."""
    measure, interval = closest.measure, closest.interval
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    _, worse = _margins(closest, margins)
    bounds = f"interval {signed_range(measure, low, high)}, margin +{worse}"
    shown = f"{signed(measure, closest.change or 0.0)} ({bounds})"
    if rules == 1:
        is_plural = measure.kind is MeasureKind.FAILURES
        return f"{measure} {'are within their' if is_plural else 'is within its'} margin: {shown}"
    return f"all {units.count(rules)} rules are within their margins; the closest is {measure}, {shown}"


def inconclusive(open_rules: Sequence[Change], rules: int) -> str:
    """Return the conclusion if rules are inconclusive, with the rule that needs most pairs."""
    hardest = max(open_rules, key=lambda rule: MOST_PAIRS + 1 if rule.more_pairs is None else rule.more_pairs)
    number = f"{units.count(len(open_rules))} of {units.count(rules)} rules"
    whole = "" if rules == 1 else f"{number} {'are' if len(open_rules) > 1 else 'is'} inconclusive; "
    more = hardest.more_pairs
    needed = f"; {units.count(more)} more pair{'s' if more > 1 else ''} would decide" if more else ""
    return f"{whole}{sentence(hardest)}{needed}"


def value_text(measure: Measure, value: float | None) -> str:
    """Return the value of one side."""
    if measure.unit is ChangeUnit.PERCENT:
        return units.milliseconds(value)
    return units.percentage(value) if measure.unit is ChangeUnit.POINTS else _bytes(value)


def signed(measure: Measure, change: float | None) -> str:
    """Return a change with its sign."""
    if measure.unit is ChangeUnit.PERCENT:
        return units.change(change)
    return units.points(change) if measure.unit is ChangeUnit.POINTS else units.signed_size(change)


def signed_range(measure: Measure, low: float | None, high: float | None) -> str:
    """Return the interval of a change, as in `+13.0 to +21.0 %`. A bound that is not known is a question mark."""
    if measure.unit is ChangeUnit.BYTES:
        return " to ".join("?" if bound is None else units.signed_size(bound) for bound in (low, high))
    return units.change_range(low, high, of_share=measure.unit is ChangeUnit.POINTS)


def _margins(change: Change, margins: Margins) -> tuple[str, str]:
    """Return the margins of a measure as they were given."""
    ignore, worse = margins.of(change.measure, change.base)
    relative = units.given_percentage
    if change.measure.unit is ChangeUnit.BYTES:
        return units.size(ignore), units.size(worse)
    if change.measure.unit is ChangeUnit.POINTS:
        return relative(ignore).replace("%", "points"), relative(worse).replace("%", "points")
    return (
        relative(ignore) if ignore == margins.ignore else units.given(margins.ignore_ms, "ms"),
        relative(worse) if worse == margins.worse else units.given(2 * margins.ignore_ms, "ms"),
    )


def _directed(measure: Measure, change: float) -> str:
    if measure.unit is not ChangeUnit.PERCENT:
        return f"{'higher' if change > 0 else 'lower'} by {signed(measure, abs(change)).removeprefix('+')}"
    return f"{units.percentage(abs(change))} {'slower' if change > 0 else 'faster'}"


def _values(change: Change) -> str:
    return f"{value_text(change.measure, change.head)} instead of {value_text(change.measure, change.base)}"


def _bytes(value: float | None) -> str:
    return units.signed_size(value).removeprefix("+")
