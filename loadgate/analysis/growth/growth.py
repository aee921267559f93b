"""The growth of a quantity of a resource, such as the memory of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import accumulate, pairwise
from statistics import NormalDist, fmean

from loadgate.analysis.growth.blocks import Blocks, blocks
from loadgate.analysis.growth.trend import CONFIDENCE, MIN_VALUES, Trend, trend
from loadgate.analysis.growth.warm_up import Shape
from loadgate.analysis.interval import Interval
from loadgate.recorder.resources import ResourceSeries, ResourceUnit

POWER = 0.8
"""The probability with which a leak of `visible_per_s` is seen."""

MIN_SHARE = 0.01
"""The minimum growth, as a share of the start."""

MIN_UNITS = {ResourceUnit.BYTES: 2e6, ResourceUnit.COUNT: 3.0, ResourceUnit.SECONDS: 3.0}
"""The minimum growth in the run. Less can be an allocator's page, or a thread that starts once."""

GRAIN = {ResourceUnit.BYTES: 16_384.0, ResourceUnit.COUNT: 1.0, ResourceUnit.SECONDS: 0.001}
"""The size of the steps in which a quantity grows. A Python memory pool has 16 KiB."""

SECOND_HALF_SHARE = 0.5
"""A leak continues: the slope of the second half is at least this share of the slope of the whole."""

LAST_QUARTER_SHARE = 0.25
"""The same for the last quarter. A cache that is full after three quarters still has a steep second half."""

MAX_STEPS = 3
"""The number of steps that are compared with the growth. A few requests that need much memory leave a few steps."""

GRAINS_UNSEEN = 3
"""The rule of three: if no event was seen, the upper 95 % bound of their expected number is 3.

Source: Hanley and Lippman-Hand, JAMA 249, 1983.
"""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """A rise to a level, such as a warm-up or a cache that fills.

    After `time_s`, a linear one has ended, and 63 % of an exponential one is done. `rise` is the whole rise, below 0
    for a fall. `done` is the share of it that is done at the end of the run.
    """

    shape: Shape
    time_s: float
    rise: float
    done: float


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of a quantity. Values are in its unit: bytes or a count.

    - `per_s`: the slope per second without the warm-up; `interval` is its 95 % interval.
    - `start`, `end`: the fitted values at the first and the last block.
    - `increase`: the slope times the span.
    - `second_half_per_s`, `last_quarter_per_s`: the slopes of these parts, warm-up included.
    - `largest_steps`: the three largest lasting increases from one block to the next, without the warm-up, descending.
    - `visible_per_s`: the sensitivity, which is the steady growth that this run shows with a probability of 80 %.
    - `minimum`: the increase below which the quantity counts as constant.
    """

    unit: ResourceUnit
    per_s: float
    interval: Interval
    start: float
    end: float
    increase: float
    second_half_per_s: float
    last_quarter_per_s: float
    largest_steps: tuple[float, ...]
    warm_up: WarmUp | None
    visible_per_s: float
    minimum: float
    blocks: int
    block_s: float
    span_s: float

    @property
    def low_per_s(self) -> float:
        """Return the lower bound of the slope per second."""
        return self.per_s if self.interval.low is None else self.interval.low

    @property
    def high_per_s(self) -> float:
        """Return the upper bound of the slope per second."""
        return self.per_s if self.interval.high is None else self.interval.high

    def step_share(self, steps: int) -> float:
        """Return the share of the increase that the largest steps are, at most 1. It is 1 without an increase."""
        return min(1.0, sum(self.largest_steps[:steps]) / self.increase) if self.increase > 0 else 1.0

    @property
    def continues(self) -> bool:
        """Return whether the end of the run grows nearly as fast as the whole."""
        return (
            self.second_half_per_s >= SECOND_HALF_SHARE * self.per_s
            and self.last_quarter_per_s >= LAST_QUARTER_SHARE * self.per_s
        )


def growth(times_s: Sequence[float], values: Sequence[float], unit: ResourceUnit = ResourceUnit.BYTES) -> Growth | None:
    """Return the growth of a series, or None if it has fewer than 8 blocks, which is about 80 s.

    Times are in seconds, ascending, about one value a second. Gaps are allowed. The stages before the steady load
    should be left out.
    """
    series = blocks(times_s, values)
    if len(series) < MIN_VALUES:
        return None
    first_s = series.times_s[0]
    grain = GRAIN[unit]
    steps = [(time_s - first_s) / series.step_s for time_s in series.times_s]
    fitted = trend(steps, series.values, least_variance=(grain / 100) ** 2)
    span_s = series.times_s[-1] - first_s
    return _growth(series, fitted, unit, span_s, unseen_per_s=GRAINS_UNSEEN * grain / span_s)


def growth_between(series: ResourceSeries, span_s: tuple[float, float]) -> Growth | None:
    """Return the growth of the part of a series in [start, end) of epoch seconds. See `growth`."""
    part = series.between(*span_s)
    return growth(part.times_s, part.values, part.column.unit)


def _growth(series: Blocks, fitted: Trend, unit: ResourceUnit, span_s: float, unseen_per_s: float) -> Growth:
    per_s = fitted.slope / series.step_s
    low = min(fitted.low / series.step_s, per_s - unseen_per_s)
    high = max(fitted.high / series.step_s, per_s + unseen_per_s)
    warm_up = _warm_up(fitted, series.step_s, span_s)
    remaining = warm_up.rise * (1 - warm_up.done) if warm_up else 0.0
    first = fitted.start + (fitted.warm_up.size if fitted.warm_up else 0.0)
    increase = per_s * span_s
    minimum = max(MIN_UNITS[unit], MIN_SHARE * first)
    error_per_s = (high - low) / 2 / _score((1 + CONFIDENCE) / 2)
    return Growth(
        unit=unit,
        per_s=per_s,
        interval=Interval(low, high, CONFIDENCE),
        start=first,
        end=fitted.start + increase - remaining,
        increase=increase,
        second_half_per_s=_slope(series, 1 / 2),
        last_quarter_per_s=_slope(series, 1 / 4),
        largest_steps=_largest_steps(series, fitted, unit),
        warm_up=warm_up,
        visible_per_s=max((_score((1 + CONFIDENCE) / 2) + _score(POWER)) * error_per_s, minimum / span_s),
        minimum=minimum,
        blocks=len(series),
        block_s=series.step_s,
        span_s=span_s,
    )


def _warm_up(fitted: Trend, step_s: float, span_s: float) -> WarmUp | None:
    if fitted.warm_up is None:
        return None
    curve = fitted.warm_up.curve
    return WarmUp(curve.shape, curve.time * step_s, -fitted.warm_up.size, 1 - curve.at(span_s / step_s))


def _largest_steps(series: Blocks, fitted: Trend, unit: ResourceUnit) -> tuple[float, ...]:
    """Return the largest increases of the level below which the quantity never falls again.

    Every growth of a count consists of steps of one grain, so these are left out.
    """
    first_s = series.times_s[0]
    levels = [
        value - (fitted.warm_up.at((time_s - first_s) / series.step_s) if fitted.warm_up else 0.0)
        for time_s, value in zip(series.times_s, series.values, strict=True)
    ]
    lasting = list(accumulate(reversed(levels), min))[::-1]
    steps = (after - before for before, after in pairwise(lasting))
    return tuple(nlargest(MAX_STEPS, (step for step in steps if step > 1.5 * GRAIN[unit])))


def _slope(series: Blocks, share: float) -> float:
    """Return the slope per second of the last part of a series, by least squares."""
    start_s = series.times_s[-1] - share * (series.times_s[-1] - series.times_s[0])
    part = [(time_s, value) for time_s, value in zip(series.times_s, series.values, strict=True) if time_s >= start_s]
    middle_s = fmean(time_s for time_s, _ in part)
    squares = sum((time_s - middle_s) ** 2 for time_s, _ in part)
    return sum((time_s - middle_s) * value for time_s, value in part) / squares if squares else 0.0


def _score(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
