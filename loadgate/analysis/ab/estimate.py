"""The change of a measure from base to head, with its standard error over pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from loadgate.analysis.ab.buckets import PackedScope, Sides, Sums
from loadgate.analysis.ab.memory import Growth, MemoryScope, MemorySides
from loadgate.analysis.ab.segments import ChangeUnit, Margins, Measure, MeasureKind, Pair
from loadgate.analysis.confidence import CONFIDENCE, MIN_SAMPLES_FLOOR, min_samples
from loadgate.analysis.interval import Interval
from loadgate.analysis.student import student_quantile
from loadgate.units import count

Scope = PackedScope | MemoryScope
"""What a measure is computed from."""


def scope_of(pairs: Sequence[Pair], measure: Measure) -> Scope:
    """Return what a measure is computed from."""
    memory = measure.kind is MeasureKind.MEMORY
    return MemoryScope(pairs, measure.scope) if memory else PackedScope(pairs, measure.scope)


def value(measure: Measure, sums: Sums | Growth) -> float | None:
    """Return a measure of one side: ms, a share of failures, or bytes per request. None if the side has no value."""
    if isinstance(sums, Growth):
        return sums.mean()
    if measure.kind is MeasureKind.FAILURES:
        return sums.failure_share()
    return sums.mean_ms() if measure.percentile is None else sums.quantile_ms(measure.percentile / 100)


def difference(measure: Measure, sides: Sides | MemorySides) -> float | None:
    """Return ln(head / base) of a latency, or head - base of shares and bytes. None if a side has no value."""
    base, head = value(measure, sides.base), value(measure, sides.head)
    if measure.unit is not ChangeUnit.PERCENT:
        return None if base is None or head is None else head - base
    return math.log(head) - math.log(base) if base and head else None


def as_change(measure: Measure, difference: float) -> float:
    """Return a difference as a relative change of a latency. One of shares or bytes is returned unchanged."""
    if measure.unit is not ChangeUnit.PERCENT:
        return difference
    # Beyond this, a float is infinite.
    return math.expm1(min(difference, 700.0))


@dataclass(frozen=True, slots=True)
class Limits:
    """The margins of a measure, in the unit of its differences: logarithms for latencies, shares, or bytes."""

    ignore: float
    worse: float

    @classmethod
    def of(cls, measure: Measure, margins: Margins, base: float) -> Limits:
        """Return the limits of a measure, given the value of base."""
        ignore, worse = margins.of(measure, base)
        if measure.unit is not ChangeUnit.PERCENT:
            return cls(ignore, worse)
        return cls(math.log1p(ignore), math.log1p(worse))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure of both sides and its difference, in logarithms for latencies, in shares, or in bytes per request.

    `error` is the standard error of the difference, None if there are not enough pairs. `pairs` is their number.
    """

    measure: Measure
    base: float
    head: float
    difference: float
    error: float | None
    pairs: int

    @property
    def change(self) -> float:
        """Return the change in the unit of the measure."""
        return as_change(self.measure, self.difference)

    def bound(self, probability: float) -> float | None:
        """Return the difference that the true one does not exceed with this probability, by Student's t."""
        if self.error is None:
            return None
        return self.difference + student_quantile(probability, self.pairs - 1) * self.error

    def interval(self) -> Interval | None:
        """Return the 95 % confidence interval of the change."""
        low, high = self.bound((1 - CONFIDENCE) / 2), self.bound((1 + CONFIDENCE) / 2)
        if low is None or high is None:
            return None
        return Interval(as_change(self.measure, low), as_change(self.measure, high), CONFIDENCE)

    def extended(self, pairs: int) -> Estimate:
        """Return the estimate with another number of pairs: its standard error falls with the root of the number."""
        error = None if self.error is None else self.error * math.sqrt(self.pairs / pairs)
        return replace(self, error=error, pairs=pairs)


def estimate(scope: Scope, measure: Measure) -> Estimate | str:
    """Return the estimate of a measure over all pairs, or a clause that says why there is none.

    The value of a side is that of all its segments together: medians of percentiles are biased.

    The standard error is that of the jackknife that leaves out one pair at a time (Efron and Stein, Annals of
    Statistics 9, 1981). Segments, not requests, are the units, so dependence within a segment needs no model. For
    quantiles, the jackknife is valid because it leaves out many requests at a time (Shao and Wu, Annals of Statistics
    17, 1989). Failures can be so rare that no pair has any. Their standard error is therefore at least that of
    independent requests with one failure and one success added to each side (Agresti and Caffo, American Statistician
    54, 2000).
    """
    if not scope.pairs:
        return "no pair can be compared"
    sides = scope.whole()
    problem = _problem(measure, sides)
    if problem:
        return problem
    base, head, whole = value(measure, sides.base), value(measure, sides.head), difference(measure, sides)
    if base is None or head is None or whole is None:
        return "a latency of 0 has no relative change"
    error = _jackknife_error(scope, measure)
    if error is not None and isinstance(sides, Sides) and measure.kind is MeasureKind.FAILURES:
        error = max(error, _independent_error(sides))
    return Estimate(measure, base, head, whole, error, scope.pairs)


def by_pair(scope: Scope, measure: Measure) -> list[float | None]:
    """Return the change of each pair. None where a side has no value."""
    found = (difference(measure, scope.only(pair)) for pair in range(scope.pairs))
    return [None if one is None else as_change(measure, one) for one in found]


def _problem(measure: Measure, sides: Sides | MemorySides) -> str:
    """Return why a measure cannot be compared, or ""."""
    if isinstance(sides, MemorySides):
        return "" if sides.are_known else f"the memory of {measure.scope} was not measured in each segment"
    missing = [name for name, sums in zip(sides._fields, sides, strict=True) if not sums.requests]
    if missing:
        return f"{' and '.join(missing)} {'have' if len(missing) > 1 else 'has'} no requests"
    if measure.kind is MeasureKind.FAILURES:
        return ""
    needed = MIN_SAMPLES_FLOOR if measure.percentile is None else min_samples(measure.percentile / 100)
    for name, sums in zip(sides._fields, sides, strict=True):
        if sums.failures == sums.requests:
            return f"all {count(sums.requests)} requests of {name} failed, so there is no latency to compare"
        if sums.timed < needed:
            return f"{count(sums.timed)} successful requests of {name} are too few; at least {count(needed)} are needed"
    return ""


def _jackknife_error(scope: Scope, measure: Measure) -> float | None:
    pairs = scope.pairs
    if pairs < 2:
        return None
    left = [difference(measure, scope.without(pair)) for pair in range(pairs)]
    known = [one for one in left if one is not None]
    if len(known) < pairs:
        return None
    centre = fmean(known)
    return math.sqrt((pairs - 1) / pairs * math.fsum((one - centre) ** 2 for one in known))


def _independent_error(sides: Sides) -> float:
    variance = 0.0
    for sums in sides:
        size = sums.requests + 2
        share = (sums.failures + 1) / size
        variance += share * (1 - share) / size
    return math.sqrt(variance)
