"""Whether the queue of a target grows: such a rate is not sustained, however fast the answers still are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadgate.analysis.capacity.trial import Trial
from loadgate.analysis.growth.trend import MIN_VALUES, trend

LEAST_COMPLETION = 0.98
"""A rate is sustained only if this share of the arrivals is completed while it lasts."""

NEGLIGIBLE = 0.005
"""A growth by less than this share of the arrivals is not told from chance: it is within the width of a search."""

LEAST_VARIANCE = 1e-6
"""Of the noise of requests in flight, for a series without any."""

_INTERVAL = 2 * 1.959963984540054
"""The length of the interval of a trend, in standard errors."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The growth of the queue in the trials of a rate.

    - `completion`: completions ÷ arrivals.
    - `growth`: requests that join the queue for good, as a share of the arrivals; `low` is its lower bound.
    """

    completion: float
    growth: float
    low: float

    @property
    def holds(self) -> bool:
        """Return whether the queue does not grow."""
        return self.completion >= LEAST_COMPLETION and (self.growth < NEGLIGIBLE or self.low <= 0)

    @property
    def breaks(self) -> bool:
        """Return whether the queue certainly grows."""
        return self.low > 0 and self.growth >= NEGLIGIBLE


def queue_of(trials: Sequence[Trial]) -> Queue:
    """Return the growth of the queue. The trials have the same rate, and each started with an empty queue.

    The growth is the trend of the requests in flight, with an interval that is valid for noise between independence and
    a random walk (see `loadgate.analysis.growth.trend`), because the queue of a busy target resembles a random walk.
    Arrivals that never started are certain growth.
    """
    arrivals = sum(trial.arrivals for trial in trials)
    completion = sum(trial.completion * trial.arrivals for trial in trials) / arrivals if arrivals else 1.0
    lost = sum(trial.lost for trial in trials) / len(trials)
    if lost >= 1 - LEAST_COMPLETION:
        return Queue(completion, max(1 - completion, lost), lost)
    if completion >= 1 - NEGLIGIBLE:
        # Fast path: a trend takes 20 ms, and most trials of a simulated search have no growth.
        return Queue(completion, 1 - completion, 0.0)
    parts = [_growth(trial) for trial in trials if len(trial.in_flight) >= MIN_VALUES]
    if not parts:
        return Queue(completion, 1 - completion, -math.inf)
    growth = sum(value for value, _ in parts) / len(parts)
    error = math.sqrt(sum(error**2 for _, error in parts)) / len(parts)
    return Queue(completion, growth, growth - _INTERVAL / 2 * error)


def _growth(trial: Trial) -> tuple[float, float]:
    """Return the growth of a trial and its standard error, as shares of the arrivals."""
    found = trend([float(second) for second in range(len(trial.in_flight))], trial.in_flight, LEAST_VARIANCE)
    arrivals_per_s = trial.arrivals / trial.length_s
    return found.slope / arrivals_per_s, (found.high - found.low) / _INTERVAL / arrivals_per_s
