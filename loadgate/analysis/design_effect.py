"""The design effect: how many requests count as one independent request.

Requests that meet the same stall are not independent. With y_s of n_s requests of batch s above a latency, and p the
share of all n requests above it, the variance of p is the sum of (y_s - p n_s)^2, divided by n^2 (the delta method:
Deng, Knoblich and Lu, arXiv 1803.06336). The design effect is this variance divided by p (1 - p) / n, which is the
variance of independent requests. The largest over batches of 1, 2, 4 and 8 s is used, because a stall can affect
several seconds.

Each stage of a run is a stratum: y_s is compared with the share in its own stage. Stages differ in every run in the
same way, so their difference is no uncertainty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from statistics import NormalDist
from typing import NamedTuple

from loadgate.analysis.batches import BatchLevel, BatchSums
from loadgate.analysis.student import student_quantile
from loadgate.recorder import TimeSlot, Totals

SUCCEEDED, FAILED = 0, 1
"""The buckets of a share of failures."""

MIN_BATCHES = 10
"""A width with fewer batches is not used: the estimate would be mostly chance."""


class DesignEffect(NamedTuple):
    """A design effect, at least 1, and the degrees of freedom of its estimate."""

    value: float
    degrees: int

    def effective(self, count: int, confidence: float) -> float:
        """Return the number of independent requests that `count` requests are worth in an interval.

        This is n / D, reduced by the square of the quotient of Student's and the normal quantile, because D is an
        estimate from few batches (Korn and Graubard, Survey Methodology 24, 1998).
        """
        if self.value <= 1.0:
            return count
        tail = (1 + confidence) / 2
        few_batches = student_quantile(tail, self.degrees) / NormalDist().inv_cdf(tail)
        return count / (self.value * few_batches**2)


def design_effects(strata: Sequence[BatchSums]) -> dict[int, DesignEffect]:
    """Return the design effect of the share of samples above each bucket, in ascending order of the buckets.

    A bucket is missing if there are too few batches, or if no sample lies above it. Empty without samples.
    """
    strata = [stratum for stratum in strata if stratum.samples]
    buckets = sorted({bucket for stratum in strata for bucket in stratum.samples})
    below = [list(accumulate(stratum.samples.get(bucket, 0) for bucket in buckets)) for stratum in strata]
    independent = _independent_squares(below)
    found: dict[int, DesignEffect] = {}
    for levels in zip(*(stratum.levels() for stratum in strata), strict=True):
        batches = sum(level.count for level in levels)
        degrees = batches - len(levels)
        if degrees < MIN_BATCHES - 1:
            continue
        squares = [0.0] * len(buckets)
        for level, counts in zip(levels, below, strict=True):
            _add_squares(squares, level, counts, buckets)
        for bucket, square, expected in zip(buckets, squares, independent, strict=True):
            value = square * batches / degrees / expected if expected else 0.0
            if expected and (bucket not in found or value > found[bucket].value):
                found[bucket] = DesignEffect(max(1.0, value), degrees)
    return found


def _independent_squares(below: Sequence[Sequence[int]]) -> list[float]:
    """Return n p (1 - p) for each bucket, the sum of squares that independent requests would have."""
    size = sum(counts[-1] for counts in below)
    return [count * (size - count) / size for count in map(sum, zip(*below, strict=True))]


def _add_squares(squares: list[float], level: BatchLevel, below: Sequence[int], buckets: Sequence[int]) -> None:
    """Add the sum of (y - p n)^2 over the batches of one stratum for each bucket."""
    size, size_squares = below[-1], level.size_squares
    square = product = 0
    for place, bucket in enumerate(buckets):
        square += level.squares.get(bucket, 0)
        product += level.products.get(bucket, 0)
        share = below[place] / size
        squares[place] += square - share * (2 * product - share * size_squares)


def latency_effects(slots: Iterable[TimeSlot]) -> dict[int, DesignEffect]:
    """Return the design effects of the latencies of successful requests, whose slots are ascending."""
    sums = BatchSums()
    for slot in slots:
        sums.add(slot.start_s, slot.totals.success.buckets, slot.width_s)
    return design_effects([sums])


def failure_effects(slots: Iterable[TimeSlot]) -> dict[int, DesignEffect]:
    """Return the design effects of the buckets of `failure_counts` in ascending slots. Empty without failures."""
    sums = BatchSums()
    for slot in slots:
        sums.add(slot.start_s, failure_counts(slot.totals), slot.width_s)
    return design_effects([sums])


def failure_counts(totals: Totals) -> dict[int, int]:
    """Return the successful and the failed requests as two buckets."""
    return {SUCCEEDED: totals.requests - totals.failures, FAILED: totals.failures}
