"""Sentences about changes."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate import units
from loadgate.analysis.ab.decision import MOST_PAIRS
from loadgate.analysis.ab.result import Change
from loadgate.analysis.ab.segments import Margins, Measure, MeasureKind
from loadgate.analysis.decision import RuleOutcome


def sentence(change: Change) -> str:
    """Return the sentence about a measure, such as `auth: p95 is 12.0 % slower (+8.1 to +16.2 %), 412 ms instead of …`.

    If the interval contains 0, it has no direction: `… is not clearly different: +1.20 % (-3.2 to +6.1 %), …`.
    """
    value, interval, measure = change.change, change.interval, change.measure
    if value is None:
        return f"{measure}: {change.reason}"
    subject = f"{measure} {'are' if of_share(measure) else 'is'}"
    if interval is None or interval.low is None or interval.high is None:
        return f"{subject} {_directed(measure, value)}, {_values(change)}; {change.reason}"
    bounds = f"({units.change_range(interval.low, interval.high, of_share=of_share(measure))})"
    if interval.low <= 0 <= interval.high:
        return f"{subject} not clearly different: {_signed(measure, value)} {bounds}, {_values(change)}"
    return f"{subject} {_directed(measure, value)} {bounds}, {_values(change)}"


def reason(change: Change, margins: Margins, *, is_above_ignore: bool) -> str:
    """Return why a measure has its outcome, one clause. `is_above_ignore`: its lower bound is above `ignore`."""
    ignore, worse = _margins(change, margins)
    direction = "higher" if of_share(change.measure) else "slower"
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
    bounds = f"interval {units.change_range(low, high, of_share=of_share(measure))}, margin +{worse}"
    shown = f"{_signed(measure, closest.change or 0.0)} ({bounds})"
    if rules == 1:
        return f"{measure} {'are within their' if of_share(measure) else 'is within its'} margin: {shown}"
    return f"all {units.count(rules)} rules are within their margins; the closest is {measure}, {shown}"


def inconclusive(open_rules: Sequence[Change], rules: int) -> str:
    """Return the conclusion if rules are inconclusive, with the rule that needs most pairs."""
    hardest = max(open_rules, key=lambda rule: MOST_PAIRS + 1 if rule.more_pairs is None else rule.more_pairs)
    number = f"{units.count(len(open_rules))} of {units.count(rules)} rules"
    whole = "" if rules == 1 else f"{number} {'are' if len(open_rules) > 1 else 'is'} inconclusive; "
    more = hardest.more_pairs
    needed = f"; {units.count(more)} more pair{'s' if more > 1 else ''} would decide" if more else ""
    return f"{whole}{sentence(hardest)}{needed}"


def of_share(measure: Measure) -> bool:
    """Return whether the changes of a measure are differences of shares, and not relative."""
    return measure.kind is MeasureKind.FAILURES


def _margins(change: Change, margins: Margins) -> tuple[str, str]:
    """Return the margins of a measure as they were given."""
    ignore, worse = margins.of(change.measure, change.base)
    relative = units.given_percentage
    if of_share(change.measure):
        return relative(ignore).replace("%", "points"), relative(worse).replace("%", "points")
    return (
        relative(ignore) if ignore == margins.ignore else units.given(margins.ignore_ms, "ms"),
        relative(worse) if worse == margins.worse else units.given(2 * margins.ignore_ms, "ms"),
    )


def _directed(measure: Measure, change: float) -> str:
    if of_share(measure):
        return f"{'higher' if change > 0 else 'lower'} by {_signed(measure, abs(change)).removeprefix('+')}"
    return f"{units.percentage(abs(change))} {'slower' if change > 0 else 'faster'}"


def _signed(measure: Measure, change: float) -> str:
    return units.points(change) if of_share(measure) else units.change(change)


def _values(change: Change) -> str:
    shown = units.percentage if of_share(change.measure) else units.milliseconds
    return f"{shown(change.head)} instead of {shown(change.base)}"
