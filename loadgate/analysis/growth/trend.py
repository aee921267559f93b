"""The slope of a series whose noise is anything between independent noise and a random walk.

The noise of memory resembles a random walk, because memory that is kept once stays. A model of independent noise would
find a trend in most random walks, and a model of a random walk would miss most leaks. Both are special cases of an
AR(1) process plus independent noise. The slope is therefore estimated with a grid of such models, and the estimates are
averaged with the restricted likelihood of each model as its weight.

Sources: the restricted likelihood of Harville (JASA 72, 1977), which is well-behaved up to the unit root (Chen and
Deo, J. Time Series Analysis 33, 2012); the average over models of Hoeting et al. (Statistical Science 14, 1999). Perron
and Yabu (J. Econometrics 151, 2009) estimate one model instead and truncate it to the unit root.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import mul
from statistics import NormalDist

from loadgate.analysis.growth.noise import NOISES, Noise, whitener
from loadgate.analysis.growth.warm_up import STEPS, Curve, first_curves, refined

CONFIDENCE = 0.95
MIN_VALUES = 8

_WARM_UP_PARAMETERS = 4
"""A warm-up has two parameters. They count twice in the BIC, because a random walk often resembles a curve."""

_NEARLY = 1.0
"""The BIC differs by this much if a parameter changes by one standard deviation."""

_NORMAL = NormalDist()
_NEGLIGIBLE = 1e-3
_COLLINEAR = 1e-9
_BISECTIONS = 24


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The part `size` * `curve` of a trend. `size` is below 0 if the values rise."""

    size: float
    curve: Curve

    def at(self, time: float) -> float:
        """Return the value of the warm-up."""
        return self.size * self.curve.at(time)


@dataclass(frozen=True, slots=True)
class Trend:
    """The model y = start + slope * t, plus the warm-up if there is one. `low` and `high` are bounds of the slope."""

    start: float
    slope: float
    low: float
    high: float
    warm_up: WarmUp | None


@dataclass(frozen=True, slots=True)
class _Fit:
    """A generalised least squares fit under one model of the noise."""

    slope: float
    error: float
    freedom: int
    likelihood: float
    bic: float
    warm_up: WarmUp | None = None

    def below(self, slope: float) -> float:
        """Return the probability of a slope below this one: Student's t, by the approximation of Wallace (1959)."""
        score = (slope - self.slope) / self.error
        scale = (8 * self.freedom + 1) / (8 * self.freedom + 3)
        return _NORMAL.cdf(math.copysign(scale * math.sqrt(self.freedom * math.log1p(score**2 / self.freedom)), score))


def trend(times: Sequence[float], values: Sequence[float], least_variance: float) -> Trend:
    """Return the trend of at least `MIN_VALUES` values. `times` ascend from 0.

    The usual distance between times should be 1. `least_variance` is a lower bound of the variance of the noise, above
    0, such as that of rounding. A warm-up is part of the result if it improves the BIC.
    """
    first = values[0]
    data = [value - first for value in values]
    problems = [_Problem(times, data, noise, least_variance) for noise in NOISES]
    straight = [problem.straight() for problem in problems]
    curved = _curved(problems, times, first_curves(times[-1]))
    fits = [(1.0, straight)]
    if min(map(_lowest, curved.values()), default=math.inf) < _lowest(straight):
        _refine(curved, problems, times)
        warmed_up = list(chain.from_iterable(curved.values()))
        share = 1 / (1 + math.exp((_lowest(warmed_up) - _lowest(straight)) / 2))
        fits = [(1 - share, straight), (share, warmed_up)]
    average = _Average(fits)
    slope, warm_up = average.slope, average.warm_up()
    rest = (
        value - slope * time - (warm_up.at(time) if warm_up else 0.0) for time, value in zip(times, data, strict=True)
    )
    tail = (1 - CONFIDENCE) / 2
    return Trend(first + sum(rest) / len(times), slope, average.quantile(tail), average.quantile(1 - tail), warm_up)


def _lowest(fits: Iterable[_Fit]) -> float:
    """Return the BIC of the best fit."""
    return min(fit.bic for fit in fits)


def _curved(problems: Sequence[_Problem], times: Sequence[float], curves: Iterable[Curve]) -> dict[Curve, list[_Fit]]:
    """Return the fits of each curve that can be distinguished from a line."""
    columns = [(curve, [curve.at(time) for time in times]) for curve in curves]
    found = ((curve, [problem.curved(curve, column) for problem in problems]) for curve, column in columns)
    known = ((curve, [fit for fit in fits if fit is not None]) for curve, fits in found)
    return {curve: fits for curve, fits in known if fits}


def _refine(curved: dict[Curve, list[_Fit]], problems: Sequence[_Problem], times: Sequence[float]) -> None:
    """Add curves ever closer to the best one, until its neighbours fit nearly as well.

    In a series with little noise, the slope would otherwise compensate for a small error in the time of the warm-up.
    """
    curved |= _curved(problems, times, refined(_best(curved)))
    for step in STEPS:
        best = _best(curved)
        near = _curved(problems, times, [best.scaled(1 - step), best.scaled(1 + step)])
        curved |= near
        if all(_lowest(fits) - _lowest(curved[best]) < _NEARLY for fits in near.values()):
            return


def _best(curved: Mapping[Curve, list[_Fit]]) -> Curve:
    return min(curved, key=lambda curve: _lowest(curved[curve]))


class _Problem:
    """The regression of the values on the time under one model of the noise."""

    def __init__(self, times: Sequence[float], data: Sequence[float], noise: Noise, least_variance: float) -> None:
        self._whiten, log_determinant = whitener(times, noise)
        self._prior = math.log(noise.prior)
        self._count, self._least_variance = len(times), least_variance
        self._one = None if noise.memory == 1 else self._whiten([1.0] * len(times))
        self._one_one = _dot(self._one, self._one) if self._one else 1.0
        self._log_determinant = log_determinant + math.log(self._one_one)
        self._line = self._without_mean(self._whiten(times))
        self._data = self._without_mean(self._whiten(data))
        self._line_line = _dot(self._line, self._line)
        self._line_data = _dot(self._line, self._data)
        self._data_data = _dot(self._data, self._data)

    def straight(self) -> _Fit:
        """Return the fit of a line."""
        slope = self._line_data / self._line_line
        rest = self._data_data - slope * self._line_data
        return self._fit(slope, rest, self._line_line, 1.0, None)

    def curved(self, curve: Curve, values: Sequence[float]) -> _Fit | None:
        """Return the fit of a line and a warm-up. None if the curve cannot be distinguished from a line."""
        column = self._without_mean(self._whiten(values))
        squares, with_line, with_data = _dot(column, column), _dot(column, self._line), _dot(column, self._data)
        if squares * self._line_line - with_line**2 <= _COLLINEAR * squares * self._line_line:
            return None
        size = (with_data - with_line * self._line_data / self._line_line) / (squares - with_line**2 / self._line_line)
        slope = (self._line_data - size * with_line) / self._line_line
        rest = self._data_data - slope * self._line_data - size * with_data
        information = self._line_line - with_line**2 / squares
        return self._fit(slope, rest, information, squares, WarmUp(size, curve))

    def _fit(self, slope: float, rest: float, information: float, others: float, warm_up: WarmUp | None) -> _Fit:
        terms = 2 if warm_up else 1
        freedom = self._count - 1 - terms
        rest = max(rest, self._least_variance * freedom)
        determinants = self._log_determinant + math.log(information * others)
        parameters = 1 + (_WARM_UP_PARAMETERS if warm_up else 0)
        bic = (self._count - 1) * math.log(rest) + self._log_determinant + parameters * math.log(self._count)
        return _Fit(
            slope=slope,
            error=math.sqrt(rest / freedom / information),
            freedom=freedom,
            likelihood=self._prior - (determinants + freedom * math.log(rest)) / 2,
            bic=bic,
            warm_up=warm_up,
        )

    def _without_mean(self, column: list[float]) -> list[float]:
        """Return the part of a whitened column that a constant does not explain. A random walk has no constant."""
        if self._one is None:
            return column
        share = _dot(self._one, column) / self._one_one
        return [value - share * one for value, one in zip(column, self._one, strict=True)]


class _Average:
    """The average of fits, weighted by their likelihoods."""

    def __init__(self, groups: Sequence[tuple[float, Sequence[_Fit]]]) -> None:
        self._fits: list[tuple[float, _Fit]] = []
        for share, fits in groups:
            best = max(fit.likelihood for fit in fits)
            weights = [math.exp(fit.likelihood - best) for fit in fits]
            total = sum(weights)
            weighted = [(share * weight / total, fit) for weight, fit in zip(weights, fits, strict=True)]
            self._fits.extend((weight, fit) for weight, fit in weighted if weight > _NEGLIGIBLE)
        kept = sum(weight for weight, _ in self._fits)
        self._fits = [(weight / kept, fit) for weight, fit in self._fits]
        self.slope = sum(weight * fit.slope for weight, fit in self._fits)

    def warm_up(self) -> WarmUp | None:
        """Return the likeliest warm-up."""
        sizes: dict[Curve, list[tuple[float, float]]] = {}
        for weight, fit in self._fits:
            if fit.warm_up:
                sizes.setdefault(fit.warm_up.curve, []).append((weight, fit.warm_up.size))
        if not sizes:
            return None
        weights = {curve: sum(weight for weight, _ in found) for curve, found in sizes.items()}
        likeliest = max(weights, key=weights.__getitem__)
        return WarmUp(sum(weight * size for weight, size in sizes[likeliest]) / weights[likeliest], likeliest)

    def quantile(self, probability: float) -> float:
        """Return the slope that lies above a share `probability` of the averaged distribution."""
        low = min(fit.slope - 10 * fit.error for _, fit in self._fits)
        high = max(fit.slope + 10 * fit.error for _, fit in self._fits)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if sum(weight * fit.below(middle) for weight, fit in self._fits) < probability:
                low = middle
            else:
                high = middle
        return (low + high) / 2


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return math.fsum(map(mul, first, second))
