"""The outcome of a rule, and how many pairs would decide it.

A comparison is decided after the planned pairs, and once more after as many again if it is still open. Both decisions
keep their error rates over both looks:

- **False alarms**: the p-values are adjusted for all rules. They are compared with 0.005 at the first look and with
  0.048 at the last, so a fail without any difference has a probability of at most 5 % (O'Brien and Fleming,
  Biometrics 35, 1979).
- **Fails of what does not matter**: a rule fails only if the change is also above the margin `ignore`, at its lower
  95 % confidence bound. The estimate alone failed 2 of 40 simulated comparisons with a true change of 3 %
  (benchmarks/calibrate/ab_simulated.py).
- **False passes**: a rule passes if its 95 % interval is below the margin `worse`. The interval of a rule that is worse
  by the margin or more lies below it with a probability of 2.5 % at each look, so of at most 5 % over both. A
  comparison passes only if all rules pass, so this needs no adjustment for the number of rules (Berger, Technometrics
  24, 1982).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadgate.analysis.ab.estimate import Estimate, Limits
from loadgate.analysis.ab.permutation import smallest_p_value
from loadgate.analysis.confidence import CONFIDENCE
from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.student import student_quantile

ONLY_LOOK = 0.05
FIRST_LOOK, LAST_LOOK = 0.005, 0.048
IGNORE_CONFIDENCE = 0.95
MOST_PAIRS = 200
"""The largest number of pairs that a prediction recommends."""


def significance(pairs: int, looks: Sequence[int]) -> float:
    """Return the significance level after a number of pairs. Raises ValueError unless there are one or two looks.

    Before the last look, it is that of the first, also if the comparison was interrupted.
    """
    if not 1 <= len(looks) <= 2 or looks[0] < 1 or list(looks) != sorted(set(looks)):
        raise ValueError(f"a comparison has one or two looks, at ascending numbers of pairs; got {tuple(looks)!r}")
    if pairs < looks[-1]:
        return FIRST_LOOK
    return LAST_LOOK if len(looks) > 1 else ONLY_LOOK


@dataclass(frozen=True, slots=True)
class RuleTest:
    """The conditions under which a rule fails or passes. `rules` is the number of rules that are tested together."""

    limits: Limits
    level: float
    rules: int

    def outcome(self, estimate: Estimate, p_value: float | None) -> RuleOutcome:
        """Return the outcome of a rule. `p_value` is adjusted for all rules; without one, the measure cannot fail."""
        if p_value is not None and p_value <= self.level and self.is_above_ignore(estimate):
            return RuleOutcome.FAIL
        return RuleOutcome.PASS if self.passes(estimate) else RuleOutcome.INCONCLUSIVE

    def is_above_ignore(self, estimate: Estimate) -> bool:
        """Return whether a change that is too small to matter is excluded."""
        low = estimate.bound(1 - IGNORE_CONFIDENCE)
        return low is not None and low >= self.limits.ignore

    def passes(self, estimate: Estimate) -> bool:
        """Return whether a change that is too large is excluded."""
        high = estimate.bound((1 + CONFIDENCE) / 2)
        return high is not None and high < self.limits.worse

    def more_pairs(self, estimate: Estimate) -> int | None:
        """Return how many further pairs would decide if the estimate stayed as it is. None if 200 pairs would not."""
        if estimate.error is None:
            return None
        for pairs in range(estimate.pairs + 1, MOST_PAIRS + 1):
            then = estimate.extended(pairs)
            if self.passes(then) or then.difference >= self.least(then):
                return pairs - estimate.pairs
        return None

    def least(self, estimate: Estimate) -> float:
        """Return the smallest difference that fails with the standard error of an estimate, which must have one.

        The level is divided among the rules, because the flips of other pairs are not known. This is cautious: the test
        itself makes use of the dependence between rules. It is infinite if the smallest p-value is above the level.
        """
        error, degrees = estimate.error or 0.0, estimate.pairs - 1
        if smallest_p_value(estimate.pairs) > self.level:
            return math.inf
        significant = student_quantile(1 - self.level / (2 * self.rules), degrees) * error
        return max(significant, self.limits.ignore + student_quantile(IGNORE_CONFIDENCE, degrees) * error)
