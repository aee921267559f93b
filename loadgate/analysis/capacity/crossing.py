"""Where the curves of the rules meet their limits: bounds from all trials near the capacity together.

Near its capacity, a rate is undecided for a long time. The trials of several rates together tell more than those of
each rate by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from loadgate.analysis.capacity.autocorrelation import LEAST_TIMES, Autocorrelation, autocorrelation_of_queue
from loadgate.analysis.capacity.curve import MIN_BOUNDED, Curve, Point, curve_of
from loadgate.analysis.capacity.level import Level, State, capacities
from loadgate.analysis.capacity.next_rate import HALF, Bounds, bounds_of, outwards, rounded
from loadgate.analysis.capacity.queue import LEAST_COMPLETION
from loadgate.analysis.capacity.trial import Criterion, Trial

FAR_LOGIT = 1.0
"""Trials are so far from the limit on the logistic scale, until its interval is narrower."""

CURVE_CONFIDENCE = 0.995
"""Above that of a single rate, because the search ends as soon as the bounds are close, which favours narrow ones."""

MAX_STEP = 0.2
"""The same in logarithms of the rate. Without it, a curve that is too flat by chance would only be tried far away."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """The curve of a rule."""

    rule: str
    curve: Curve

    @property
    def holds(self) -> float | None:
        """Return the rate per second up to which the rule holds. None without a bound."""
        return None if self.curve.low is None else rounded(math.exp(self.curve.low))

    @property
    def breaks(self) -> float | None:
        """Return the rate per second from which on the rule breaks. None without a bound."""
        return None if self.curve.high is None else rounded(math.exp(self.curve.high))


def crossings_of(trials: Sequence[Trial], criteria: Sequence[Criterion], near: float) -> tuple[Crossing, ...]:
    """Return the curves around the logarithm of a rate, that of the lowest rate first. Rules without one are left out.

    An overloaded target takes no part, because its shares depend on the length of the trial. If trials are too short
    for the queue of the target, there are no curves.
    """
    trials = [trial for trial in trials if trial.completion >= LEAST_COMPLETION]
    found = []
    for criterion in criteria:
        points = [_point(trial, criterion) for trial in trials]
        curve = curve_of(points, criterion.limit, near, CURVE_CONFIDENCE)
        if curve is not None and _is_settled(trials, curve):
            found.append(Crossing(criterion.rule, curve))
    return tuple(sorted(found, key=lambda crossing: crossing.curve.rate))


def bounds_by(crossings: Sequence[Crossing], levels: Sequence[Level], criteria: Sequence[Criterion]) -> Bounds:
    """Return the bounds by the curves, and by the levels for the other rules, the queue and a target that ends."""
    by_rule = rule_bounds(crossings, levels, criteria)
    rules = {criterion.rule for criterion in criteria}
    overloaded = [level.rate_per_s for level in levels if set(level.broken) - rules]
    holding = [bounds.holds for bounds in by_rule.values()]
    known = [rate for rate in holding if rate is not None]
    breaking = [bounds.breaks for bounds in by_rule.values() if bounds.breaks is not None]
    return Bounds(
        min(known) if len(known) == len(holding) and known else None, min(breaking + overloaded, default=None)
    )


def rule_bounds(
    crossings: Sequence[Crossing], levels: Sequence[Level], criteria: Sequence[Criterion]
) -> dict[str, Bounds]:
    """Return the bounds of each rule: by its curve, or by its levels where the curve has none."""
    curves = {crossing.rule: crossing for crossing in crossings}
    found = {}
    for rule, (holds, breaks) in capacities(levels, criteria).items():
        curve = curves.get(rule)
        low, high = (curve.holds, curve.breaks) if curve is not None else (None, None)
        found[rule] = Bounds(low if low is not None else holds, high if high is not None else breaks)
    return found


def next_to(curve: Curve, width: float, levels: Sequence[Level]) -> float:
    """Return the next rate: at an end of the interval, on the side with fewer requests.

    - If enough trials do not bound the curve, the next rates are ever farther below, until one of them holds by itself.
    - A rate that breaks without a part in the curve is not tried again, because the curve would remain the same.
    """
    least = HALF * math.log1p(width)
    step = min(FAR_LOGIT / curve.slope, MAX_STEP)
    if curve.low is not None and curve.high is not None:
        step = min(step, (curve.high - curve.low) / 2)
    step = max(step, least)
    if curve.low is None and len(curve.points) >= MIN_BOUNDED:
        undecided = [math.log(level.rate_per_s) for level in levels if level.state is State.UNDECIDED]
        below, holds = outwards(curve.rate - step, -step, undecided), bounds_of(levels).holds
        if holds is None or below > math.log(holds) + least:
            return rounded(math.exp(below))
    ceiling = _ceiling(curve, levels)
    room = step if curve.rate + step < ceiling else (ceiling - curve.rate) / 2
    requests_below = sum(point.requests for point in curve.points if point.rate < curve.rate)
    requests_above = sum(point.requests for point in curve.points) - requests_below
    if requests_above < requests_below and room >= least / 2:
        return rounded(math.exp(curve.rate + room))
    return rounded(math.exp(min(curve.rate, ceiling) - step))


def _ceiling(curve: Curve, levels: Sequence[Level]) -> float:
    """Return the logarithm of the lowest rate that breaks and takes no part in the curve."""
    taking_part = {point.rate for point in curve.points}
    rates = (math.log(level.rate_per_s) for level in levels if level.state is State.BREAKS)
    return min((rate for rate in rates if rate not in taking_part), default=math.inf)


def _point(trial: Trial, criterion: Criterion) -> Point:
    seconds = trial.seconds.get(criterion.rule, ())
    bad, requests = sum(second.bad for second in seconds), sum(second.requests for second in seconds)
    return Point(math.log(trial.rate_per_s), bad, requests)


def _is_settled(trials: Sequence[Trial], curve: Curve) -> bool:
    rates = {point.rate for point in curve.points}
    near = [trial for trial in trials if math.log(trial.rate_per_s) in rates]
    autocorrelation = Autocorrelation(fmean(autocorrelation_of_queue([trial.in_flight]).factor for trial in near))
    return autocorrelation.seconds * LEAST_TIMES <= fmean(trial.length_s for trial in near)
