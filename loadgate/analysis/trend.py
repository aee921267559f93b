"""The slope of a series whose noise is anything between independent noise and a random walk.

The noise of memory is near a random walk: what is retained once stays. A model of independent noise would call most
random walks a trend, and a model of a random walk would miss most leaks. Both are special cases of an AR(1) process
plus independent noise, so the slope is estimated under a grid of such models, and the estimates are averaged with the
restricted likelihood of each model as its weight.

Sources: the restricted likelihood of Harville (JASA 72, 1977), which is well-behaved up to the unit root (Chen and Deo,
Econometric Theory 28, 2012); the average over models of Hoeting et al. (Statistical Science 14, 1999). Perron and Yabu
(J. Econometrics 151, 2009) estimate one model instead and truncate it to the unit root.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from statistics import NormalDist

CONFIDENCE = 0.95
MIN_VALUES = 8

WARM_UP_SHARES = (0.025, 0.05, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5)
"""The time constants of a warm-up that are tried, as shares of the span of the series."""

_NORMAL = NormalDist()
_NEGLIGIBLE = 1e-3
_BISECTIONS = 24


@dataclass(frozen=True, slots=True)
class Noise:
    """A model of the noise: an AR(1) process plus independent noise.

    `memory` is the share of the process that lasts for one unit of time; 1 is a random walk. `white` is the variance of
    the independent noise, as a multiple of the variance of a step of the process. `prior` is the relative probability
    of the model before the data are seen.
    """

    memory: float
    white: float = 0.0
    prior: float = 1.0


NOISES = (
    Noise(1.0),
    *(Noise(1.0, white, prior=0.2) for white in (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)),
    *(Noise(memory, prior=0.01) for memory in (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)),
)
"""The averaged models. A random walk is assumed until the data show a memory that fades.

With equal priors, 26 % of the 95 % intervals of random walks of 30 values miss the slope; see docs/measurement.md.
"""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The part `size` * exp(-t / `time_constant`) of a trend. `size` is below 0 if the values rise."""

    size: float
    time_constant: float


@dataclass(frozen=True, slots=True)
class Trend:
    """The model y = start + slope * t, plus the warm-up if there is one. The slope lies between `low` and `high`."""

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
    curves = {share * times[-1]: [math.exp(-time / (share * times[-1])) for time in times] for share in WARM_UP_SHARES}
    straight: list[_Fit] = []
    curved: list[_Fit] = []
    for noise in NOISES:
        problem = _Problem(times, data, noise, least_variance)
        straight.append(problem.straight())
        curved.extend(problem.curved(time_constant, curve) for time_constant, curve in curves.items())
    gain = min(fit.bic for fit in straight) - min(fit.bic for fit in curved)
    share = 1 / (1 + math.exp(min(-gain / 2, 700.0)))
    average = _Average([(1 - share, straight), (share, curved)])
    warm_up = average.warm_up() if gain > 0 else None
    slope = average.slope
    rest = (value - slope * time - _curve(warm_up, time) for time, value in zip(times, data, strict=True))
    tail = (1 - CONFIDENCE) / 2
    return Trend(first + sum(rest) / len(times), slope, average.quantile(tail), average.quantile(1 - tail), warm_up)


def _curve(warm_up: WarmUp | None, time: float) -> float:
    return warm_up.size * math.exp(-time / warm_up.time_constant) if warm_up else 0.0


class _Problem:
    """The regression of the values on the time under one model of the noise."""

    def __init__(self, times: Sequence[float], data: Sequence[float], noise: Noise, least_variance: float) -> None:
        self._whiten, log_determinant = _whitener(times, noise)
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

    def curved(self, time_constant: float, curve: Sequence[float]) -> _Fit:
        """Return the fit of a line and a warm-up."""
        curve = self._without_mean(self._whiten(curve))
        curve_curve, line_curve, data_curve = _dot(curve, curve), _dot(curve, self._line), _dot(curve, self._data)
        own_curve = curve_curve - line_curve**2 / self._line_line
        size = (data_curve - line_curve * self._line_data / self._line_line) / own_curve
        slope = (self._line_data - size * line_curve) / self._line_line
        rest = self._data_data - slope * self._line_data - size * data_curve
        information = self._line_line - line_curve**2 / curve_curve
        return self._fit(slope, rest, information, curve_curve, WarmUp(size, time_constant))

    def _fit(self, slope: float, rest: float, information: float, others: float, warm_up: WarmUp | None) -> _Fit:
        terms = 2 if warm_up else 1
        freedom = self._count - 1 - terms
        rest = max(rest, self._least_variance * freedom)
        determinants = self._log_determinant + math.log(information * others)
        parameters = 3 if warm_up else 1
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


def _whitener(times: Sequence[float], noise: Noise) -> tuple[Callable[[Sequence[float]], list[float]], float]:
    """Return the filter that makes the noise independent with equal variance, and the log determinant of its inverse.

    It is the Kalman filter of the noise. The start of a random walk is unknown, so the first value only sets its state.
    """
    steps: list[tuple[float, float, float]] = []
    log_determinant = 0.0
    if noise.memory == 1:
        steps.append((0.0, 1.0, 0.0))
        variance = noise.white
    else:
        stationary = 1 / (1 - noise.memory**2)
        total = stationary + noise.white
        steps.append((0.0, stationary / total, 1 / math.sqrt(total)))
        log_determinant += math.log(total)
        variance = stationary * noise.white / total
    for before, time in pairwise(times):
        kept = noise.memory ** (time - before)
        added = time - before if noise.memory == 1 else stationary * (1 - kept**2)
        variance = kept**2 * variance + added
        total = variance + noise.white
        steps.append((kept, variance / total, 1 / math.sqrt(total)))
        log_determinant += math.log(total)
        variance *= noise.white / total

    def whiten(column: Sequence[float]) -> list[float]:
        state, result = 0.0, []
        for value, (kept, gain, scale) in zip(column, steps, strict=True):
            state *= kept
            new = value - state
            state += gain * new
            result.append(new * scale)
        return result

    return whiten, log_determinant


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
        """Return the warm-up with the likeliest time constant."""
        weights: dict[float, float] = {}
        for weight, fit in self._fits:
            if fit.warm_up:
                weights[fit.warm_up.time_constant] = weights.get(fit.warm_up.time_constant, 0.0) + weight
        if not weights:
            return None
        likeliest = max(weights, key=weights.__getitem__)
        sizes = [
            weight * fit.warm_up.size
            for weight, fit in self._fits
            if fit.warm_up and fit.warm_up.time_constant == likeliest
        ]
        return WarmUp(sum(sizes) / weights[likeliest], likeliest)

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
