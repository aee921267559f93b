"""A process of latencies that depend on each other: requests that meet the same stall are slow together. Pure.

The process is on (stalled) and off by turns, for times with exponential distributions. A request has a lognormal
latency, a slow one if it arrives in a stall. So the true quantiles and the design effect are known in closed form: with
q = P(above | stalled) - P(above | not stalled) and two requests u seconds apart, the covariance of their being above a
quantile is q² · share · (1 - share) · exp(-u / c), where the correlation time c is mean_s · (1 - share). The design
effect is 1 + the sum of that over all other requests, over p(1 - p).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

_STANDARD = NormalDist()


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A distribution of latencies in ms."""

    median_ms: float
    sigma: float

    def above(self, limit_ms: float) -> float:
        """Return the probability of more than `limit_ms`."""
        return _STANDARD.cdf(-math.log(limit_ms / self.median_ms) / self.sigma)

    def quantile_ms(self, quantile: float) -> float:
        return self.median_ms * math.exp(self.sigma * _STANDARD.inv_cdf(quantile))

    def draw(self, rnd: random.Random) -> float:
        return rnd.lognormvariate(math.log(self.median_ms), self.sigma)


@dataclass(frozen=True, slots=True)
class Stalls:
    """The parameters of the process. With the defaults the 95th percentile lies amid the slow latencies."""

    mean_s: float
    """The mean length of a stall."""
    share: float = 0.08
    """The share of the time that is stalled, above 0 and below 1."""
    usual: Lognormal = Lognormal(20.0, 0.3)
    slow: Lognormal = Lognormal(200.0, 0.5)

    @classmethod
    def with_design_effect(cls, design_effect: float, rate_per_s: float, quantile: float = 0.95) -> Stalls:
        """Return stalls of the length that gives a quantile this design effect (above 1) with Poisson arrivals."""
        unit = cls(mean_s=1.0)
        return cls(mean_s=(design_effect - 1) / (unit.design_effect(rate_per_s, quantile) - 1))

    def above(self, limit_ms: float) -> float:
        """Return the probability that a request takes more than `limit_ms`."""
        return self.share * self.slow.above(limit_ms) + (1 - self.share) * self.usual.above(limit_ms)

    def quantile_ms(self, quantile: float) -> float:
        """Return the true quantile, by bisection."""
        # The quantile of a mixture lies between those of its parts.
        low, high = sorted(each.quantile_ms(quantile) for each in (self.usual, self.slow))
        while high - low > 1e-9 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self.above(middle) > 1 - quantile else (low, middle)
        return high

    def design_effect(self, rate_per_s: float, quantile: float = 0.95) -> float:
        """Return the factor by which dependence multiplies the variance of the share above a quantile.

        For Poisson arrivals; at equal intervals it is less by at most the covariance of one request with the next.
        """
        limit_ms = self.quantile_ms(quantile)
        difference = self.slow.above(limit_ms) - self.usual.above(limit_ms)
        correlation_s = self.mean_s * (1 - self.share)
        covariance = difference**2 * self.share * (1 - self.share)
        return 1 + 2 * rate_per_s * correlation_s * covariance / (quantile * (1 - quantile))

    def latencies_ms(self, arrivals_s: Iterator[float], rnd: random.Random) -> Iterator[float]:
        """Return the latency of each of the arrivals, whose times must not fall."""
        # The first state has the long-run share, so that the process is stationary from its beginning.
        stalled = rnd.random() < self.share
        until_s = self._length_s(stalled, rnd)
        for arrival_s in arrivals_s:
            while until_s <= arrival_s:
                stalled = not stalled
                until_s += self._length_s(stalled, rnd)
            yield (self.slow if stalled else self.usual).draw(rnd)

    def seconds(self, rate_per_s: float, seconds: int, seed: int) -> list[list[float]]:
        """Return for each second the latencies in ms of its requests, which are Poisson arrivals; it can have none."""
        rnd = random.Random(seed)  # noqa: S311 - the same process for the same seed
        by_second: list[list[float]] = [[] for _ in range(seconds)]
        arrivals = list(_poisson(rate_per_s, seconds, rnd))
        for arrival_s, latency_ms in zip(arrivals, self.latencies_ms(iter(arrivals), rnd), strict=True):
            by_second[int(arrival_s)].append(latency_ms)
        return by_second

    def _length_s(self, stalled: bool, rnd: random.Random) -> float:
        return rnd.expovariate(1 / self.mean_s) * (1.0 if stalled else (1 - self.share) / self.share)


def _poisson(rate_per_s: float, seconds: float, rnd: random.Random) -> Iterator[float]:
    time_s = rnd.expovariate(rate_per_s)
    while time_s < seconds:
        yield time_s
        time_s += rnd.expovariate(rate_per_s)
