"""Pairs with a segment that cannot be compared: how many may be left out, and when they are a regression themselves.

A segment can have a problem by chance, for example if another program used the CPU of the load generator. Such a pair
is left out, and another one is measured. A target that ends, or that is too slow for the arrivals, is different: to
leave its pairs out would hide the worst regressions. If only head has such problems, they are a regression as soon as
the sign test is significant at 5 %: without a difference, each of them could as well have happened to base (Conover,
Practical Nonparametric Statistics, 3rd ed., 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadgate.analysis.ab.segments import Pair

SIGNIFICANT_FAULTS = 6
"""The smallest number whose two-sided sign test is significant at 5 %: 2 / 2^6 = 3.1 %."""

MOST_LEFT_OUT = 0.25
"""The largest share of the planned pairs that may be left out. At least one pair may."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The pairs that cannot be compared.

    - `left_out`: pairs in which no target is the cause.
    - `base`, `head`: pairs in which only this side's target is the cause.
    - `both`: pairs in which both targets are.
    """

    left_out: int
    base: int
    head: int
    both: int

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Faults:
        """Return the faults of all measured pairs."""
        wrong = [(pair.base.is_fault, pair.head.is_fault) for pair in pairs if not pair.can_be_compared]
        return cls(*(wrong.count(who) for who in ((False, False), (True, False), (False, True), (True, True))))

    @property
    def is_regression(self) -> bool:
        """Return whether head certainly has more faults than base."""
        return self.head >= SIGNIFICANT_FAULTS and not self.base + self.both

    @property
    def of_targets(self) -> int:
        """Return the number of pairs in which a target is the cause."""
        return self.base + self.head + self.both

    def is_broken(self, planned: int) -> bool:
        """Return whether the comparison cannot be decided, however many further pairs are measured."""
        return bool(self.base or self.both) or self.left_out > most_left_out(planned)


def most_left_out(planned: int) -> int:
    """Return how many pairs may be left out. `planned` is the number of pairs at the first look."""
    return max(1, int(MOST_LEFT_OUT * planned))
