"""Find the places at which a series of values changes.

The method is E-divisive (D. S. Matteson and N. A. James, JASA 109, 2014), which MongoDB uses for its performance tests
(D. Daly et al., The Use of Change Point Detection to Identify Software Performance Regressions in a Continuous
Integration System, ICPE 2020). A segment is split at its best place while the split is significant. Two conditions
follow, because a significant change can be too small to matter, or be made by single values: each change is at least
`min_change`, and a rank test of the values before and after it confirms it. If one of them does not hold, both segments
are joined and the changes to their neighbours are judged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from statistics import median

from loadgate.analysis.changes.rank_test import rank_test
from loadgate.analysis.changes.significance import significant_split

_SEED = 1
"""A fixed seed: the same history always gives the same changes."""


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """What counts as a change. `min_change` is a difference of values; for logarithms, 0.05 is about 5 %."""

    min_change: float
    min_side: int = 3
    level: float = 0.001
    rank_level: float = 0.01
    permutations: int = 999


@dataclass(frozen=True, slots=True)
class Change:
    """A change with the value `at`.

    - `before`, `after`: the median of the values from the previous change on, and until the next one.
    - `runs_before`, `runs_after`: the number of these values.
    - `p_value`: of the split; `rank_p_value`: of the rank test.
    """

    at: int
    before: float
    after: float
    runs_before: int
    runs_after: int
    p_value: float
    rank_p_value: float


def find_changes(values: Sequence[float], limits: ChangeLimits) -> list[Change]:
    """Return the changes of a series, oldest first."""
    p_values = _splits(values, limits)
    while True:
        changes = _changes(values, p_values)
        weak = [change for change in changes if not _holds(change, limits)]
        if not weak:
            return changes
        del p_values[min(weak, key=lambda change: abs(change.after - change.before)).at]


def _splits(values: Sequence[float], limits: ChangeLimits) -> dict[int, float]:
    """Return the p-value of each significant split by its place."""
    random = Random(_SEED)  # noqa: S311 - a permutation test
    found: dict[int, float] = {}
    waiting = [(0, len(values))]
    while waiting:
        start, end = waiting.pop()
        split = significant_split(values[start:end], limits.min_side, limits.level, limits.permutations, random)
        if split is not None:
            at = start + split.at
            found[at] = split.p_value
            waiting += [(start, at), (at, end)]
    return found


def _changes(values: Sequence[float], p_values: dict[int, float]) -> list[Change]:
    places = sorted(p_values)
    segments = [values[start:end] for start, end in pairwise((0, *places, len(values)))]
    return [
        Change(at, median(before), median(after), len(before), len(after), p_values[at], rank_test(before, after))
        for at, (before, after) in zip(places, pairwise(segments), strict=True)
    ]


def _holds(change: Change, limits: ChangeLimits) -> bool:
    return abs(change.after - change.before) >= limits.min_change and change.rank_p_value <= limits.rank_level
