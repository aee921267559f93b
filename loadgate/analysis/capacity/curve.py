"""The curve of the share of bad requests over the rate, and the rates between which it meets a limit.

A logistic regression of the bad requests on the logarithm of the rate (McCullagh and Nelder, Generalized Linear Models,
2nd ed., 1989). Each trial is one cluster: the distance of its share from the curve includes the dependence between its
requests, so the dependence needs no model. The variance is the robust one of Liang and Zeger (Biometrika 73, 1986).
Because there are few trials, each residual is divided by one minus its leverage (Mancl and DeRouen, Biometrics 57,
2001). The interval of the rate is that of Fieller (J. Royal Statistical Society B 16, 1954).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadgate.analysis.student import student_quantile

NEAR = 0.3
"""Trials take part whose rates are at most so far from the limit, in logarithms."""

WINDOW = 2.0
"""Trials whose rates are farther above the limit than this on the logistic scale take no part: the curve is no line."""

MIN_TRIALS = 4
MIN_BOUNDED = 8
"""With fewer trials, there is an estimate without bounds: a variance from so few trials is often much too small."""

_SELECTIONS = 4
_ITERATIONS = 25
_MAX_STEP, _MAX_SLOPE_STEP = 1.0, 20.0
_SMALL = 1e-9
_MAX_LOGIT = 30.0


@dataclass(frozen=True, slots=True)
class Point:
    """A trial: the logarithm of its rate, and its requests."""

    rate: float
    bad: int
    requests: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Where a curve meets the limit. Rates are logarithms.

    - `rate`: the estimate. `low`, `high`: its interval; None if the trials do not bound it, or only far away.
    - `slope`: by how much the logit of the share rises with the logarithm of the rate.
    - `points`: the trials that take part.
    """

    rate: float
    low: float | None
    high: float | None
    slope: float
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """The logit `level + slope * (rate - centre)`, the variances of both, and their covariance."""

    centre: float
    level: float
    slope: float
    of_level: float
    of_slope: float
    of_both: float

    def at(self, rate: float) -> float:
        return self.level + self.slope * (rate - self.centre)

    def meets(self, goal: float) -> float:
        return self.centre + (goal - self.level) / self.slope

    def interval(self, goal: float, quantile: float) -> tuple[float | None, float | None]:
        """Return the rates between which the line can meet the goal: those that a test does not reject."""
        squared, rest = quantile * quantile, self.level - goal
        square = self.slope**2 - squared * self.of_slope
        if square <= 0:
            return None, None
        linear = rest * self.slope - squared * self.of_both
        root = math.sqrt(max(0.0, linear**2 - square * (rest**2 - squared * self.of_level)))
        return self.centre + (-linear - root) / square, self.centre + (-linear + root) / square


class _Information:
    """The score of a line, and the matrix of its information."""

    def __init__(self, points: Sequence[Point], centre: float, level: float, slope: float) -> None:
        self.weight = self._weight_x = self._weight_xx = self.score = self.score_x = 0.0
        for point in points:
            x = point.rate - centre
            share = _share(level + slope * x)
            weight, rest = point.requests * share * (1 - share), point.bad - point.requests * share
            self.weight += weight
            self._weight_x += weight * x
            self._weight_xx += weight * x * x
            self.score += rest
            self.score_x += rest * x
        self._determinant = self.weight * self._weight_xx - self._weight_x**2

    @property
    def is_singular(self) -> bool:
        """Return whether the rates do not differ, or the line is so steep that no request tells its place."""
        return self._determinant <= _SMALL * self.weight**2

    def solved(self, one: float, x: float) -> tuple[float, float]:
        """Return the inverse of the matrix times a vector."""
        by_one = (self._weight_xx * one - self._weight_x * x) / self._determinant
        return by_one, (self.weight * x - self._weight_x * one) / self._determinant


def curve_of(points: Sequence[Point], limit: float, near: float, confidence: float) -> Curve | None:
    """Return the curve of the trials around `near`, the logarithm of a rate.

    `limit` is the share of bad requests that is allowed. None if there are too few trials, if the curve does not rise,
    or if it meets the limit elsewhere.
    """
    if not 0 < limit < 1:
        return None
    goal = math.log(limit / (1 - limit))
    around = [point for point in points if point.requests and abs(point.rate - near) <= NEAR]
    chosen, line = around, _fitted(around)
    for _ in range(_SELECTIONS):
        if line is None or line.slope <= 0:
            return None
        again = [point for point in around if line.at(point.rate) - goal <= WINDOW]
        if again == chosen:
            break
        chosen, line = again, _fitted(again)
    if line is None or line.slope <= 0 or abs(line.meets(goal) - near) > NEAR:
        return None
    rate = line.meets(goal)
    if len(chosen) < MIN_BOUNDED:
        return Curve(rate, None, None, line.slope, tuple(chosen))
    bounds = line.interval(goal, student_quantile((1 + confidence) / 2, len(chosen) - 2))
    low, high = (bound if bound is not None and abs(bound - rate) <= NEAR else None for bound in bounds)
    return Curve(rate, low, high, line.slope, tuple(chosen))


def _fitted(points: Sequence[Point]) -> _Line | None:
    """Return the line of greatest likelihood. None if the trials do not determine one."""
    bad, requests = sum(point.bad for point in points), sum(point.requests for point in points)
    if len(points) < MIN_TRIALS or not 0 < bad < requests:
        return None
    centre = sum(point.requests * point.rate for point in points) / requests
    level, slope = math.log(bad / (requests - bad)), 0.0
    for _ in range(_ITERATIONS):
        found = _Information(points, centre, level, slope)
        if found.is_singular:
            return None
        step, slope_step = found.solved(found.score, found.score_x)
        level += max(-_MAX_STEP, min(_MAX_STEP, step))
        slope += max(-_MAX_SLOPE_STEP, min(_MAX_SLOPE_STEP, slope_step))
        if abs(step) + abs(slope_step) < _SMALL:
            break
    found = _Information(points, centre, level, slope)
    return None if found.is_singular else _with_variances(points, found, centre, level, slope)


def _with_variances(points: Sequence[Point], found: _Information, centre: float, level: float, slope: float) -> _Line:
    of_level = of_slope = of_both = 0.0
    for point in points:
        x = point.rate - centre
        share = _share(level + slope * x)
        by_level, by_slope = found.solved(1.0, x)
        leverage = point.requests * share * (1 - share) * (by_level + x * by_slope)
        rest = (point.bad - point.requests * share) / max(_SMALL, 1 - leverage)
        of_level += (rest * by_level) ** 2
        of_slope += (rest * by_slope) ** 2
        of_both += rest * by_level * rest * by_slope
    return _Line(centre, level, slope, of_level, of_slope, of_both)


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-_MAX_LOGIT, min(_MAX_LOGIT, logit))))
