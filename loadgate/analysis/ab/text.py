"""Sentences about changes."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate import units
from loadgate.analysis.ab.decision import MOST_PAIRS
from loadgate.analysis.ab.result import Change
from loadgate.analysis.ab.segments import Margins, Measure, MeasureKind
from loadgate.analysis.decision import RuleOutcome


def sentence(change: Change) -> str:
    """Return the sentence about a measure, such as `auth: p95 is 12.0 % slower [8.13 %, 16.2 %], 412 ms instead of …`.

    A change whose interval contains 0 has no direction: `… is not clearly different: +1.20 % [-3.20 %, +6.13 %], …`.
    """
    value, interval, measure = change.change, change.interval, change.measure
    if value is None:
        return f"{measure}: {change.reason}"
    subject = f"{measure} {'are' if of_share(measure) else 'is'}"
    if interval is None or interval.low is None or interval.high is None:
        return f"{subject} {_directed(measure, value)}, {_values(change, 'instead of')}; {change.reason}"
    if interval.low <= 0 <= interval.high:
        bounds = _bounds(measure, interval.low, interval.high)
        return f"{subject} not clearly different: {_signed(measure, value)} {bounds}, {_values(change, 'and')}"
    bounds = _bounds(measure, *sorted((abs(interval.low), abs(interval.high)))).replace("+", "")
    return f"{subject} {_directed(measure, value)} {bounds}, {_values(change, 'instead of')}"


def reason(change: Change, margins: Margins, *, is_above_ignore: bool) -> str:
    """Return why a measure has its outcome, one clause. `is_above_ignore`: it is certainly above the lower margin."""
    ignore, worse = _margins(change, margins)
    direction = "higher" if of_share(change.measure) else "slower"
    decides = change.p_value is not None
    if change.outcome is RuleOutcome.PASS:
        return f"less than {worse} {direction}"
    if change.interval is None:
        return "an interval needs more pairs"
    if is_above_ignore and (change.outcome is RuleOutcome.FAIL or not decides):
        return f"more than {ignore} {direction}"
    if is_above_ignore:
        found = f"not significant among all rules, p = {units.figure(change.p_value)}"
    else:
        found = f"it can be less than {ignore} or more than {worse} {direction}"
    return f"{found}; {units.count(MOST_PAIRS)} pairs would not decide" if decides and not change.more_pairs else found


def failed(worst: Change, failing: int) -> str:
    """Return the conclusion of a fail. `failing` is the number of rules that fail."""
    others = failing - 1
    more = f"; {units.count(others)} more rule{'s fail' if others > 1 else ' fails'}" if others else ""
    return sentence(worst) + more


def faulty(faults: int, pairs: int, first: str) -> str:
    """Return the conclusion if only the target of head has faults. `first` is the clause about the first of them."""
    return f"head had faults in {units.count(faults)} of {units.count(pairs)} pairs, and base in none: {first}"


def passed(closest: Change, rules: int) -> str:
    """Return the conclusion of a pass. `closest` is the rule that is closest to its margin."""
    whole = "the rule is" if rules == 1 else f"all {units.count(rules)} rules are"
    return f"{whole} within the margins; {sentence(closest)}"


def inconclusive(undecided: Sequence[Change], rules: int) -> str:
    """Return the conclusion if rules are undecided, with the rule that needs most pairs."""
    hardest = max(undecided, key=lambda rule: MOST_PAIRS + 1 if rule.more_pairs is None else rule.more_pairs)
    number = f"{units.count(len(undecided))} of {units.count(rules)} rules"
    whole = "" if rules == 1 else f"{number} {'are' if len(undecided) > 1 else 'is'} undecided; "
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


def _bounds(measure: Measure, low: float, high: float) -> str:
    """Return an interval. The word `points` stands only behind the change."""
    return f"[{_signed(measure, low)}, {_signed(measure, high)}]".replace(" points", "")


def _values(change: Change, between: str) -> str:
    shown = units.percentage if of_share(change.measure) else units.milliseconds
    return f"{shown(change.head)} {between} {shown(change.base)}"
