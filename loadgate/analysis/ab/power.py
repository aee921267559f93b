"""What a comparison can find: the smallest change that fails with a probability of 80 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from loadgate import units
from loadgate.analysis.ab.decision import MOST_PAIRS, RuleTest, significance
from loadgate.analysis.ab.estimate import Estimate, Limits, as_change, estimate, scope_of
from loadgate.analysis.ab.segments import Comparison, Measure, Pair
from loadgate.analysis.ab.text import signed

POWER = 0.8
_ABOVE = NormalDist().inv_cdf(POWER)


def detectable(found: Estimate, test: RuleTest) -> float | None:
    """Return the smallest true difference that fails with a probability of 80 %. None if it is not known, or infinite.

    It is the smallest observed difference that fails, and 0.84 standard errors, because the observed difference is
    above the true one minus that with a probability of 80 % (Cohen, Statistical Power Analysis, 2nd ed., 1988).
    """
    if found.error is None or math.isinf(least := test.least(found)):
        return None
    return least + _ABOVE * found.error


@dataclass(frozen=True, slots=True)
class Power:
    """What a plan finds of one rule.

    - `pairs`: of the plan, at its last look.
    - `detectable`: the smallest change that it finds with a probability of 80 %; None if that is unknown or infinite.
    - `finer`, `finer_pairs`: a smaller change, and the number of pairs that finds it; None if there is no such number.
    """

    measure: Measure
    pairs: int
    detectable: float | None
    finer: float | None
    finer_pairs: int | None
    sentence: str


def powers(pairs: Sequence[Pair], comparison: Comparison) -> tuple[Power, ...]:
    """Return what the plan of a comparison finds of each rule, estimated from the pairs that were measured so far.

    Raises ValueError for looks that are not one or two ascending numbers.
    """
    compared = [pair for pair in pairs if pair.can_be_compared]
    return tuple(_power(compared, measure, comparison) for measure in dict.fromkeys(comparison.rules))


def _power(pairs: Sequence[Pair], measure: Measure, comparison: Comparison) -> Power:
    planned = comparison.looks[-1]
    level = significance(planned, comparison.looks)
    found = estimate(scope_of(pairs, measure), measure)
    if isinstance(found, str):
        return Power(measure, planned, None, None, None, f"{measure}: the detectable change is unknown: {found}")
    test = RuleTest(Limits.of(measure, comparison.margins, found.base), level, len(set(comparison.rules)))
    smallest = detectable(found.extended(planned), test)
    if smallest is None and found.error is not None:
        sentence = f"{measure}: no change is detectable, because {units.count(planned)} pairs are too few"
        return Power(measure, planned, None, None, None, sentence)
    if smallest is None:
        reason = "at least two pairs with requests on both sides are needed"
        return Power(measure, planned, None, None, None, f"{measure}: the detectable change is unknown: {reason}")
    target = _target(smallest, test.limits)
    needed = None if target is None else _pairs_for(target, found, test)
    change, finer = as_change(measure, smallest), None if target is None else as_change(measure, target)
    sentence = f"{measure}: {units.count(planned)} pairs detect {signed(measure, change)}"
    if finer is not None:
        pairs_text = f"more than {MOST_PAIRS} pairs" if needed is None else f"{units.count(needed)} pairs"
        sentence += f"; {signed(measure, finer)} needs {pairs_text}"
    return Power(measure, planned, change, finer, needed, sentence)


def _target(smallest: float, limits: Limits) -> float | None:
    """Return the next smaller difference of interest: the margin `worse`, or the middle between the margins."""
    middle = (limits.ignore + limits.worse) / 2
    return next((target for target in (limits.worse, middle) if target < smallest), None)


def _pairs_for(target: float, found: Estimate, test: RuleTest) -> int | None:
    for pairs in range(2, MOST_PAIRS + 1):
        smallest = detectable(found.extended(pairs), test)
        if smallest is not None and smallest <= target:
            return pairs
    return None
