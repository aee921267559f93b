"""Whether a split is more than chance: the same statistic of the values in random orders."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from loadgate.analysis.changes.energy import best_split, distances

_ROUNDING = 1e-9
"""Statistics of equal splits differ by the rounding of their sums."""


class SignificantSplit(NamedTuple):
    """A split before the value `at`, with the probability of one as large if the order meant nothing."""

    at: int
    p_value: float


def significant_split(
    values: Sequence[float], min_side: int, level: float, permutations: int, random: Random
) -> SignificantSplit | None:
    """Return the best split of a segment if it is significant, else None.

    The p-value is (1 + the number of orders with a statistic at least as large) / (1 + the number of orders). The
    search stops as soon as so many orders exceed the statistic that the split cannot be significant any more, which
    changes no result (J. Besag and P. Clifford, Sequential Monte Carlo p-values, Biometrika 78, 1991). A segment
    without a change takes about seven orders.
    """
    between, order = distances(values), list(range(len(values)))
    found = best_split(between, order, min_side)
    if found is None or found.statistic <= 0.0:
        return None
    allowed = int(level * (permutations + 1) + _ROUNDING) - 1
    bound = found.statistic * (1 - _ROUNDING)
    exceeded = 0
    for _ in range(permutations):
        random.shuffle(order)
        shuffled = best_split(between, order, min_side)
        exceeded += shuffled is not None and shuffled.statistic >= bound
        if exceeded > allowed:
            return None
    return SignificantSplit(found.at, (1 + exceeded) / (1 + permutations))
