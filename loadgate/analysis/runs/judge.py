"""Judge the differences between the runs of two sides.

With several runs a side, the p-values come from a permutation test, adjusted for all rules by the procedure of
`loadgate ab`. With a single run on a side, the spread of past runs takes the place of the permutations. Without enough
past runs, a difference is described and not judged.

A rule fails if its difference is significant at 5 % and excludes the margin `ignore`. It passes if its 95 % interval is
below the margin `worse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from loadgate.analysis.ab.permutation import adjusted_p_values
from loadgate.analysis.confidence import CONFIDENCE
from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.runs.permutation import assignments, statistics
from loadgate.analysis.runs.spread import MIN_PAST_RUNS, StandardError, from_both_sides, from_past_runs
from loadgate.analysis.student import student_quantile

LEVEL = 1 - CONFIDENCE


class Basis(StrEnum):
    """What a difference is judged by."""

    RUNS = "runs"
    """The spread of the compared runs."""
    PAST_RUNS = "past runs"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class RunValues:
    """The values of a rule in each run, on a scale on which differences are compared and a larger value is worse.

    - `past`: the values of past runs, oldest first, without the compared ones.
    - `ignore`, `worse`: a difference that is too small to matter, and one that is too large to accept.
    - `least_error`: a lower bound of the standard error of the difference. Runs without a failure are all equal, but a
      few failures in the next one are still chance.
    """

    base: tuple[float, ...]
    head: tuple[float, ...]
    past: tuple[float, ...]
    ignore: float
    worse: float
    least_error: float = 0.0

    @property
    def basis(self) -> Basis:
        """Return what the difference can be judged by."""
        if min(len(self.base), len(self.head)) >= 2:
            return Basis.RUNS
        is_known = self.base and self.head and len(self.past) >= MIN_PAST_RUNS
        return Basis.PAST_RUNS if is_known else Basis.NOTHING


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of the means of head and base. Everything else is None if nothing can be judged.

    - `low`, `high`: the 95 % interval.
    - `p_value`: adjusted for all rules; None if it is judged by past runs.
    """

    basis: Basis
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    outcome: RuleOutcome


def judge_runs(rules: Sequence[RunValues]) -> list[Difference]:
    """Return the difference of each rule."""
    p_values = _p_values(rules)
    return [_judged(values, p_values[place], len(rules)) for place, values in enumerate(rules)]


def _p_values(rules: Sequence[RunValues]) -> list[float | None]:
    """Return the adjusted p-values of the rules that are judged by their runs."""
    found: list[float | None] = [None] * len(rules)
    sizes = {(len(rule.base), len(rule.head)) for rule in rules if rule.basis is Basis.RUNS}
    for size in sizes:
        places = [place for place, rule in enumerate(rules) if (len(rule.base), len(rule.head)) == size]
        chosen = assignments(*size)
        rows = [statistics((*rules[place].base, *rules[place].head), chosen) for place in places]
        for place, p_value in zip(places, adjusted_p_values(rows), strict=True):
            # Rules whose values are missing in some runs form a test of their own.
            found[place] = min(1.0, p_value * len(sizes))
    return found


def _judged(values: RunValues, p_value: float | None, rules: int) -> Difference:
    difference = fmean(values.head) - fmean(values.base) if values.base and values.head else None
    basis = values.basis
    if difference is None or basis is Basis.NOTHING:
        return Difference(basis, difference, None, None, None, RuleOutcome.INCONCLUSIVE)
    error = _error(values)
    reach = _reach(error, (1 + CONFIDENCE) / 2)
    if basis is Basis.RUNS:
        is_significant = p_value is not None and p_value <= LEVEL
    else:
        # Bonferroni: without permutations, the dependence between rules is not known.
        is_significant = abs(difference) > _reach(error, 1 - LEVEL / (2 * rules))
    outcome = RuleOutcome.INCONCLUSIVE
    if is_significant and difference - _reach(error, CONFIDENCE) >= values.ignore:
        outcome = RuleOutcome.FAIL
    elif difference + reach < values.worse:
        outcome = RuleOutcome.PASS
    return Difference(basis, difference, difference - reach, difference + reach, p_value, outcome)


def _error(values: RunValues) -> StandardError:
    """Return the standard error of the difference, at least `least_error`."""
    if values.basis is Basis.RUNS:
        error = from_both_sides(values.base, values.head)
    else:
        error = from_past_runs(values.past, len(values.base), len(values.head))
    return StandardError(max(error.value, values.least_error), error.degrees)


def _reach(error: StandardError, probability: float) -> float:
    return student_quantile(probability, error.degrees) * error.value
