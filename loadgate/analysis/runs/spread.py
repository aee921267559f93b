"""How much runs of one side differ from each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, variance

MIN_PAST_RUNS = 8
"""With fewer past runs, their spread is not known well enough."""


@dataclass(frozen=True, slots=True)
class StandardError:
    """The standard error of a difference of means, and the degrees of freedom of its estimate."""

    value: float
    degrees: int


def from_past_runs(past: Sequence[float], base: int, head: int) -> StandardError:
    """Return the standard error of a difference of the means of `base` and `head` runs, from at least 8 past runs.

    The variance comes from the differences of consecutive runs, because a change in the history would inflate the usual
    estimate. For n runs it has 2 (n - 1)^2 / (3 n - 4) degrees of freedom (J. von Neumann, R. H. Kent, H. R. Bellinson
    and B. I. Hart, The Mean Square Successive Difference, Annals of Mathematical Statistics 12, 1941).
    """
    size = len(past)
    squares = math.fsum((later - earlier) ** 2 for earlier, later in pairwise(past)) / (2 * (size - 1))
    degrees = max(1, math.floor(2 * (size - 1) ** 2 / (3 * size - 4)))
    return StandardError(math.sqrt(squares * (1 / base + 1 / head)), degrees)


def from_both_sides(base: Sequence[float], head: Sequence[float]) -> StandardError:
    """Return the standard error from at least two runs a side (B. L. Welch, Biometrika 34, 1947)."""
    parts = [variance(side, fmean(side)) / len(side) for side in (base, head)]
    total = sum(parts)
    if not total:
        return StandardError(0.0, len(base) + len(head) - 2)
    weights = sum(part**2 / (len(side) - 1) for part, side in zip(parts, (base, head), strict=True))
    # Squares of tiny variances can vanish.
    degrees = math.floor(total**2 / weights) if weights else 1
    return StandardError(math.sqrt(total), max(1, degrees))
