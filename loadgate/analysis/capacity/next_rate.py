"""The next rate between the bounds, by the distances of the rates from their limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadgate.analysis.capacity.level import FAR, Level, State

DIGITS = 4
"""A rate is tried with so many significant digits, so that reports and command lines show the rate that was tried."""

HALF = 0.45
"""A little less than half of the wanted width, in logarithms: both bounds together are then within it."""

_SAME = 0.3
"""Rates that are closer than this part of the step count as the same."""

_EDGE = 0.1
"""The estimate keeps so much of the distance between the levels around it, because one of them may be misleading."""

_NEAR = 0.25
"""The line is fitted to the levels whose rates are at most so far from the limit, in logarithms."""

_MIN_FITTED = 3


@dataclass(frozen=True, slots=True)
class Bounds:
    """The highest rate that holds below the lowest that breaks, and that one. None if there is none."""

    holds: float | None
    breaks: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The logarithm of the rate at which the limit is reached. `is_blind`: it is only the middle of two levels."""

    rate: float
    is_blind: bool = False


def bounds_of(levels: Sequence[Level]) -> Bounds:
    """Return the bounds of levels in ascending order of their rates."""
    breaks = next((level.rate_per_s for level in levels if level.state is State.BREAKS), None)
    holding = [
        level.rate_per_s
        for level in levels
        if level.state is State.HOLDS and (breaks is None or level.rate_per_s < breaks)
    ]
    return Bounds(max(holding, default=None), breaks)


def rate_between(
    levels: Sequence[Level], bounds: Bounds, width: float, lowest: float, avoided: Sequence[float] = ()
) -> float | None:
    """Return the next rate, which is between the bounds. None if all rates that would help are undecided.

    Rates half a width below and above the estimated limit become the bounds. A rate that is undecided, or that is one
    of `avoided`, moves its side outwards. Without a rate that holds, the search goes down to `lowest`.
    """
    if bounds.breaks is None:
        return None
    step = HALF * math.log1p(width)
    near = _SAME * step
    low, high = math.log(bounds.holds if bounds.holds is not None else lowest), math.log(bounds.breaks)
    estimate = estimated(levels, low, high)
    tried = [level.rate_per_s for level in levels if level.state is State.UNDECIDED]
    undecided = [math.log(rate) for rate in (*tried, *avoided)]
    middle = estimate.rate
    below, above = outwards(middle - step, -step, undecided), outwards(middle + step, step, undecided)
    is_new = all(abs(middle - rate) >= near for rate in undecided)
    if is_new and estimate.is_blind and low + near < middle < high - near:
        return rounded(math.exp(middle))
    sides = [(middle - low, min(below, high - step), below > low + near)]
    sides += [(high - middle, max(above, low + step), above < high - near)]
    for _, rate, helps in sorted(sides, reverse=True):  # the bound that is farther away comes first
        if helps:
            return rounded(math.exp(rate))
    if is_new and bounds.holds is not None:
        return rounded(math.exp((low + high) / 2)) if _is_apart(undecided, (low + high) / 2, near) else None
    can_go_down = bounds.holds is None and _is_apart(undecided, low, near)
    return lowest if can_go_down else None


def _is_apart(rates: Sequence[float], rate: float, near: float) -> bool:
    return all(abs(rate - one) >= near for one in rates)


def estimated(levels: Sequence[Level], low: float, high: float) -> Estimate:
    """Return the estimate between two rates, which are logarithms.

    It is a line through the distances of all levels near the limit, or else through the two around it.
    """
    between = [(math.log(level.rate_per_s), level) for level in levels]
    between = [(rate, level) for rate, level in between if low <= rate <= high]
    at = next(number for number, (rate, level) in enumerate(between) if level.distance > 0 or rate == high)
    upper_rate, upper = between[at]
    if not at:
        return Estimate((low + upper_rate) / 2, is_blind=True)
    lower_rate, lower = between[at - 1]
    if lower.distance <= -FAR and upper.distance >= FAR:
        completed = _completed(upper)
        if lower_rate < completed < upper_rate:
            return Estimate(completed)
        return Estimate((lower_rate + upper_rate) / 2, is_blind=True)
    share = -lower.distance / (upper.distance - lower.distance) if upper.distance > lower.distance else 0.5
    middle = lower_rate + min(1 - _EDGE, max(_EDGE, share)) * (upper_rate - lower_rate)
    fitted = _fitted([(rate, level) for rate, level in between if abs(rate - middle) <= _NEAR])
    if fitted is not None and low < fitted < high:
        return Estimate(fitted)
    return Estimate(middle)


def _completed(upper: Level) -> float:
    """Return the logarithm of the rate that a target beyond its capacity completes. Without such a target, it is 0."""
    completed = max(trial.throughput_per_s for trial in upper.trials)
    return math.log(completed) if upper.queue.breaks and completed > 0 else 0.0


def _fitted(levels: Sequence[tuple[float, Level]]) -> float | None:
    """Return where the line of the distances over the rates is 0, weighted by the requests that the levels are worth.

    None if there are too few levels that are not far from the limit, or if the line does not rise.
    """
    points = [(rate, level.distance, level.weight) for rate, level in levels if abs(level.distance) < FAR]
    total = sum(weight for *_, weight in points)
    if len(points) < _MIN_FITTED or not total:
        return None
    rate = sum(weight * x for x, _, weight in points) / total
    distance = sum(weight * y for _, y, weight in points) / total
    squares = sum(weight * (x - rate) ** 2 for x, _, weight in points)
    products = sum(weight * (x - rate) * (y - distance) for x, y, weight in points)
    return rate - distance * squares / products if products > 0 else None


def outwards(rate: float, step: float, undecided: Sequence[float]) -> float:
    """Return a rate that is not one of the undecided ones, moved by ever larger steps. All are logarithms."""
    near = _SAME * abs(step)
    while not _is_apart(undecided, rate, near):
        rate += step
        step *= 2
    return rate


def rounded(rate_per_s: float) -> float:
    """Return a rate above 0 with `DIGITS` significant digits."""
    return round(rate_per_s, DIGITS - 1 - math.floor(math.log10(rate_per_s)))
