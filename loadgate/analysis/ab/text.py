"""Sentences about changes."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate import units
from loadgate.analysis.ab.decision import MOST_PAIRS
from loadgate.analysis.ab.estimate import Estimate
from loadgate.analysis.ab.result import Change
from loadgate.analysis.ab.segments import MeasureKind


def clause(found: Estimate) -> str:
    """Return a change with its interval and both values, such as `12.0 % slower [8.13 %, 16.2 %], 412 ms instead of …`.

    A change whose interval contains 0 has no direction: `not clearly different: +1.20 % [-3.20 %, +6.13 %], …`.
    """
    interval = found.interval()
    if interval is None or interval.low is None or interval.high is None:
        return f"{_directed(found, found.change)}, {_values(found, 'instead of')}; an interval needs more pairs"
    if interval.low <= 0 <= interval.high:
        bounds = _bounds(found, interval.low, interval.high)
        return f"not clearly different: {_signed(found, found.change)} {bounds}, {_values(found, 'and')}"
    bounds = _bounds(found, *sorted((abs(interval.low), abs(interval.high)))).replace("+", "")
    return f"{_directed(found, found.change)} {bounds}, {_values(found, 'instead of')}"


def undecided(more_pairs: int | None) -> str:
    """Return how many pairs would decide."""
    if more_pairs is None:
        return f"{units.count(MOST_PAIRS)} pairs would not decide this"
    return f"{units.count(more_pairs)} more pair{'s' if more_pairs > 1 else ''} would decide this"


def sentence(change: Change) -> str:
    """Return the sentence about a measure, such as `auth: p95 is 12.0 % slower [8.13 %, 16.2 %], …`."""
    if change.change is None:
        return f"{change.measure}: {change.reason}"
    return f"{change.measure} {'are' if change.measure.kind is MeasureKind.FAILURES else 'is'} {change.reason}"


def failed(worst: Change, failing: int) -> str:
    """Return the conclusion of a fail. `failing` is the number of rules that fail."""
    others = failing - 1
    more = f"; {units.count(others)} more rule{'s fail' if others > 1 else ' fails'}" if others else ""
    return sentence(worst) + more


def passed(closest: Change, rules: int) -> str:
    """Return the conclusion of a pass. `closest` is the rule that is closest to its margin."""
    whole = "the rule is" if rules == 1 else f"all {units.count(rules)} rules are"
    return f"{whole} within the margins; {sentence(closest)}"


def inconclusive(undecided_rules: Sequence[Change], rules: int) -> str:
    """Return the conclusion if rules are undecided, with the rule that needs most pairs."""
    hardest = max(undecided_rules, key=lambda rule: MOST_PAIRS + 1 if rule.more_pairs is None else rule.more_pairs)
    number = f"{units.count(len(undecided_rules))} of {units.count(rules)} rules"
    whole = "" if rules == 1 else f"{number} {'are' if len(undecided_rules) > 1 else 'is'} undecided; "
    return whole + sentence(hardest)


def _directed(found: Estimate, change: float) -> str:
    if found.measure.kind is MeasureKind.FAILURES:
        return f"{'higher' if change > 0 else 'lower'} by {units.points(abs(change)).removeprefix('+')}"
    return f"{units.percentage(abs(change))} {'slower' if change > 0 else 'faster'}"


def _signed(found: Estimate, change: float) -> str:
    if found.measure.kind is MeasureKind.FAILURES:
        return units.points(change)
    return units.change(change)


def _bounds(found: Estimate, low: float, high: float) -> str:
    """Return an interval. The word `points` stands only behind the change."""
    return f"[{_signed(found, low)}, {_signed(found, high)}]".replace(" points", "")


def _values(found: Estimate, between: str) -> str:
    shown = units.percentage if found.measure.kind is MeasureKind.FAILURES else units.milliseconds
    return f"{shown(found.head)} {between} {shown(found.base)}"
