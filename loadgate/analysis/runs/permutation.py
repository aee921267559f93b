"""The permutation test of runs: without a difference, any of the runs could as well belong to the other side.

See E. L. Lehmann and J. P. Romano, Testing Statistical Hypotheses, 4th ed., 17.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from math import comb
from random import Random

from loadgate.analysis.ab.permutation import scaled

EXACT_ASSIGNMENTS = 20_000
"""Up to this number, all assignments of runs to the sides are used: up to 8 and 8 runs."""
RANDOM_ASSIGNMENTS = 9_999
_SEED = 1

Assignment = tuple[int, ...]
"""The places of the runs of the second side."""


def assignments(base: int, head: int) -> list[Assignment]:
    """Return the assignments of base + head runs to the sides. The first one is the true one."""
    size, true = base + head, tuple(range(base, base + head))
    if comb(size, head) <= EXACT_ASSIGNMENTS:
        return [true, *(one for one in combinations(range(size), head) if one != true)]
    random = Random(_SEED)  # noqa: S311 - the same assignments each time
    return [true, *(tuple(random.sample(range(size), head)) for _ in range(RANDOM_ASSIGNMENTS))]


def least_p_value(base: int, head: int) -> float:
    """Return the smallest p-value that so many runs can have. With equal sides, each assignment has an opposite."""
    number = comb(base + head, head)
    return (2 if base == head else 1) / min(number, RANDOM_ASSIGNMENTS + 1)


def statistics(values: Sequence[float], chosen: Sequence[Assignment]) -> list[float]:
    """Return the |difference of the means| under each assignment, divided by its root mean square.

    The scale makes rules comparable. It does not depend on which assignment is the true one.
    """
    total, size = math.fsum(values), len(values)
    row = []
    for places in chosen:
        part = math.fsum(values[place] for place in places)
        row.append(abs(part / len(places) - (total - part) / (size - len(places))))
    return scaled(row)
