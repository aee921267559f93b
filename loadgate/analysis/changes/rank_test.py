"""The rank test of two groups: H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18, 1947."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb, sqrt
from statistics import NormalDist

MAX_STEPS = 2_000_000
"""Above this number of additions, the normal approximation is used. Both groups are then large enough for it."""


def rank_test(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p-value of the hypothesis that both groups come from one distribution.

    It is exact, also with equal values: the share of all ways to choose the smaller group whose sum of ranks is at
    least as far from its mean. Equal values share their mean rank. Raises ValueError if a group is empty.
    """
    if not first or not second:
        raise ValueError("a rank test needs values in both groups")
    small, large = sorted((first, second), key=len)
    ranks = _double_ranks([*small, *large])
    size, chosen = len(ranks), len(small)
    total = sum(ranks[:chosen])
    mean = chosen * (size + 1)  # of double ranks
    if size * chosen * 2 * mean > MAX_STEPS:
        return _approximate(ranks, chosen, abs(total - mean))
    sums = _sums_of_choices(ranks, chosen)
    extreme = sum(ways for value, ways in sums.items() if abs(value - mean) >= abs(total - mean))
    return extreme / comb(size, chosen)


def _double_ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of each value, which is whole for equal values, too."""
    counts = Counter(values)
    below, ranks = 0, {}
    for value in sorted(counts):
        ranks[value] = 2 * below + counts[value] + 1
        below += counts[value]
    return [ranks[value] for value in values]


def _sums_of_choices(ranks: Sequence[int], chosen: int) -> Counter[int]:
    """Return in how many ways `chosen` of the ranks give each sum."""
    ways: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in range(chosen))]
    for rank in ranks:
        for size in range(chosen, 0, -1):
            longer = ways[size]
            for total, count in ways[size - 1].items():
                longer[total + rank] += count
    return ways[chosen]


def _approximate(ranks: Sequence[int], chosen: int, distance: float) -> float:
    """Return the p-value by the normal approximation with a correction for continuity and for equal values."""
    size = len(ranks)
    mean = size + 1
    variance = sum((rank - mean) ** 2 for rank in ranks) * chosen * (size - chosen) / (size * (size - 1))
    if not variance:
        return 1.0
    return min(1.0, 2 * (1 - NormalDist().cdf(max(0.0, distance - 1) / sqrt(variance))))
