"""The autocorrelation of the seconds of a trial: dependence that the batches of a short trial cannot show.

The batches of `loadgate.analysis.design_effect` are at most 8 s long, and a trial has few of them. The queue of a busy
target depends on its state of many seconds ago. For a series whose autocorrelation falls by a factor r every second,
the mean of n seconds is worth that of n (1 - r) / (1 + r) independent ones (Bayley and Hammersley, J. Royal Statistical
Society, Supplement 8, 1946). In a short series, the estimate of r is too low by about (1 + 4 r) / n (Marriott and Pope,
Biometrika 41, 1954), which is added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadgate.analysis.design_effect import DesignEffect

MOST = 0.95
LEAST_DEGREES = 4
"""Fewer degrees of freedom would make even an overload undecided."""

LEAST_TIMES = 8
"""A trial must be this many times as long as its autocorrelation. A shorter one shows mostly how a queue fills."""


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """The autocorrelation `factor` from one second to the next, from 0 to `MOST`."""

    factor: float = 0.0

    @property
    def seconds(self) -> float:
        """Return the time in which the autocorrelation falls to 1/e."""
        return -1 / math.log(self.factor) if self.factor else 0.0

    def widened(self, effect: DesignEffect, seconds: int) -> DesignEffect:
        """Return the design effect of this many seconds, estimated as if they were independent, for dependent ones."""
        worth = (1 - self.factor) / (1 + self.factor)
        return DesignEffect(max(1.0, effect.value / worth), max(LEAST_DEGREES, int((seconds - 1) * worth)))


def autocorrelation_of(series: Sequence[Sequence[float]]) -> Autocorrelation:
    """Return the autocorrelation of series of seconds that have the same mean."""
    series = [values for values in series if len(values) > 1]
    count = sum(map(len, series))
    if not count:
        return Autocorrelation()
    mean = sum(map(sum, series)) / count
    rests = [[value - mean for value in values] for values in series]
    squares = sum(rest * rest for values in rests for rest in values)
    if not squares:
        return Autocorrelation()
    products = sum(left * right for values in rests for left, right in pairwise(values))
    pairs = sum(len(values) - 1 for values in rests)
    found = products / pairs / (squares / count)
    return Autocorrelation(min(MOST, max(0.0, found + (1 + 4 * found) / count)))


def autocorrelation_of_queue(series: Sequence[Sequence[float]]) -> Autocorrelation:
    """Return the autocorrelation of the requests in flight. Without a queue, there is none.

    Requests that do not wait for each other vary by at most the square root of their number, as in a Poisson process.
    A regular pattern of arrivals can make such a small variation look autocorrelated.
    """
    values = [value for one in series for value in one]
    if len(values) < 2:
        return Autocorrelation()
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return autocorrelation_of(series) if variance > mean else Autocorrelation()
