"""The energy statistic, which is large if the values before and after a place differ in level, spread or shape.

For m values x and n values y it is

    Q = m n / (m + n) * (2 E|x - y| - E|x - x'| - E|y - y'|)

where E|x - x'| is the mean distance of two different values of one side. Source: D. S. Matteson and N. A. James, A
Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data, JASA 109, 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import NamedTuple

Distances = Sequence[Sequence[float]]
"""The distance of each two values of a segment."""

ENDS = 8
"""The number of places at which the right side of a split can end."""


class Split(NamedTuple):
    """The best place to split a segment: before the value `at`."""

    at: int
    statistic: float


def distances(values: Sequence[float]) -> Distances:
    """Return the distances of all values."""
    return [[abs(value - other) for other in values] for value in values]


def best_split(between: Distances, order: Sequence[int], min_side: int) -> Split | None:
    """Return the split with the largest statistic of the values in this order. None if a side would be too short.

    The values after a place can come from two levels, if a change was temporary. As in the article, the right side
    therefore also ends before the last value. It ends at eighths of the segment, not everywhere, which saves most of
    the time and moves no split: the end of a temporary change is found when the segment is split again.
    """
    size = len(order)
    in_order = itemgetter(*order) if size > 1 else tuple
    rows = [in_order(between[value]) for value in order]
    to_left = [sum(row[:place]) for place, row in enumerate(rows)]
    ends = sorted({size * part // ENDS for part in range(1, ENDS + 1)})
    splits = (
        _best_split(to_left, [sum(row[:end]) for row in rows[:end]], min_side) for end in ends if end >= 2 * min_side
    )
    return max(splits, key=attrgetter("statistic"), default=None)


def _best_split(to_left: Sequence[float], to_all: Sequence[float], min_side: int) -> Split:
    """Return the best split, given the sum of the distances from each value to those before it, and to all values.

    Each value that moves from the right side to the left changes the sums of the distances within the two sides.
    """
    size = len(to_all)
    left, right = 0.0, sum(to_left[:size])
    total = right
    best = Split(min_side, float("-inf"))
    for at in range(1, size - min_side + 1):
        before = to_left[at - 1]
        left += before
        right -= to_all[at - 1] - before
        if at >= min_side:
            statistic = _energy(left, right, total - left - right, at, size - at)
            if statistic > best.statistic:
                best = Split(at, statistic)
    return best


def _energy(left: float, right: float, across: float, before: int, after: int) -> float:
    """Return the statistic from the sums of distances. Each side has at least two values."""
    within = left / (before * (before - 1) / 2) + right / (after * (after - 1) / 2)
    return before * after / (before + after) * (2 * across / (before * after) - within)
