"""Whether a rate holds or breaks, by all of its trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from loadgate.analysis.batches import WIDTHS_S, BatchSums
from loadgate.analysis.capacity.autocorrelation import (
    LEAST_TIMES,
    Autocorrelation,
    autocorrelation_of,
    autocorrelation_of_queue,
)
from loadgate.analysis.capacity.queue import Queue, queue_of
from loadgate.analysis.capacity.trial import Criterion, Fraction, Trial
from loadgate.analysis.confidence import share_interval
from loadgate.analysis.design_effect import DesignEffect, design_effects
from loadgate.analysis.interval import Interval

CONFIDENCE = 0.99
MAX_TRIALS = 4
"""A rate that is undecided after so many trials is never a bound."""

QUEUE = "growing queue"
LONG_QUEUE = "queue"

_GOOD, _BAD = 0, 1
FAR = 4.0
"""The largest distance of a share from its limit: a share beyond it says little about where the limit is reached."""

SURE = 2.0
"""A share that is closer to its limit breaks it only by several trials. A trial is too short to show all stalls that
last for seconds, so its interval is too narrow: in simulations, one such trial was the cause of most wrong bounds."""

_IMPROVED = 0.5
"""Added to the bad requests of a share that must have a logarithm."""


class State(StrEnum):
    """What the trials of a rate show."""

    HOLDS = "holds"
    BREAKS = "breaks"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Share:
    """The share of bad requests of a criterion at a rate, with its interval. Both are fractions.

    `effect` is the design effect; None if there are too few seconds to estimate it.
    """

    criterion: Criterion
    bad: int
    requests: int
    interval: Interval | None
    effect: DesignEffect | None = None

    @property
    def state(self) -> State:
        """Return what the interval shows."""
        return _state(self.bad, self.interval, self.criterion.limit)

    @property
    def distance(self) -> float:
        """Return the distance of the share from its limit on the logistic scale, above 0 if it breaks the limit."""
        limit = self.criterion.limit
        if not self.requests or not limit:
            return FAR if self.bad else -FAR
        share = (self.bad + _IMPROVED) / (self.requests + 2 * _IMPROVED)
        return max(-FAR, min(FAR, _logit(share) - _logit(limit)))

    def after(self, times: float) -> State:
        """Return what the interval would show with so many times the requests and the same share."""
        bad, requests = round(self.bad * times), round(self.requests * times)
        return _state(bad, _interval(bad, requests, self.effect), self.criterion.limit)


@dataclass(frozen=True, slots=True)
class Level:
    """A rate with all of its usable trials.

    - `shares`: one for each criterion.
    - `autocorrelation`: that of the requests in flight.
    - `broken`: the criteria that break, the one farthest from its limit first; `QUEUE` for a growing queue; or how the
      target ended.
    """

    rate_per_s: float
    trials: tuple[Trial, ...]
    shares: tuple[Share, ...]
    queue: Queue
    autocorrelation: Autocorrelation
    broken: tuple[str, ...]

    @property
    def state(self) -> State:
        """Return whether the rate holds or breaks. All criteria must hold, and one is enough to break it."""
        if self.broken:
            return State.BREAKS
        is_kept = self.is_settled and self.queue.holds and all(share.state is State.HOLDS for share in self.shares)
        return State.HOLDS if is_kept else State.UNDECIDED

    @property
    def undecided(self) -> tuple[str, ...]:
        """Return what is undecided if the rate is: criteria, or `LONG_QUEUE`. Empty for other states."""
        if self.state is not State.UNDECIDED:
            return ()
        # A share that breaks by a single trial only leaves the rate undecided.
        rules = tuple(share.criterion.rule for share in self.shares if share.state is not State.HOLDS)
        return rules if self.is_settled and self.queue.holds else (*rules, LONG_QUEUE)

    @property
    def is_settled(self) -> bool:
        """Return whether the trials are long enough for the queue to reach its usual length."""
        return self.autocorrelation.seconds * LEAST_TIMES <= min(trial.length_s for trial in self.trials)

    @property
    def distance(self) -> float:
        """Return the distance from the limit of the criterion that is closest to breaking or farthest beyond it."""
        if self.queue.breaks or any(trial.ended for trial in self.trials):
            return FAR
        return max((share.distance for share in self.shares), default=-FAR)

    @property
    def weight(self) -> float:
        """Return how much its distance counts: the inverse of its variance on the logistic scale."""
        worst = max(self.shares, key=lambda share: share.distance, default=None)
        if worst is None or not worst.requests:
            return 0.0
        share = (worst.bad + _IMPROVED) / (worst.requests + 2 * _IMPROVED)
        requests = worst.effect.effective(worst.requests, CONFIDENCE) if worst.effect else worst.requests
        return requests * share * (1 - share)

    @property
    def seems_broken(self) -> bool:
        """Return whether a single trial is all that shows that the rate breaks."""
        return self.state is State.UNDECIDED and any(share.state is State.BREAKS for share in self.shares)

    @property
    def can_be_decided(self) -> bool:
        """Return whether as many trials as allowed would decide the rate, if they show the same shares."""
        left = MAX_TRIALS - len(self.trials)
        if self.state is not State.UNDECIDED or left <= 0:
            return False
        times = MAX_TRIALS / len(self.trials)
        states = [share.after(times) for share in self.shares]
        return State.BREAKS in states or State.UNDECIDED not in states


def level_of(trials: Sequence[Trial], criteria: Sequence[Criterion]) -> Level:
    """Return the level of at least one trial. All have the same rate, and none is void."""
    trials = tuple(trials)
    autocorrelation = autocorrelation_of_queue([trial.in_flight for trial in trials])
    shares = tuple(_share(trials, criterion, autocorrelation) for criterion in criteria)
    queue = queue_of(trials)
    beyond = [share for share in shares if share.state is State.BREAKS and (len(trials) > 1 or share.distance >= SURE)]
    beyond.sort(key=lambda share: -share.distance)
    broken = [share.criterion.rule for share in beyond]
    broken += [QUEUE] if queue.breaks else []
    ended = [trial.ended for trial in trials if trial.ended]
    return Level(trials[0].rate_per_s, trials, shares, queue, autocorrelation, (*ended[:1], *broken))


def _share(trials: tuple[Trial, ...], criterion: Criterion, of_queue: Autocorrelation) -> Share:
    fraction = Fraction.of(trials, criterion.rule, WIDTHS_S[-1])
    # The trials are one stratum: how they differ is part of the uncertainty.
    sums = BatchSums()
    for second, counts in fraction.seconds:
        sums.add(second, {_GOOD: counts.requests - counts.bad, _BAD: counts.bad})
    bad, requests = fraction.bad, fraction.requests
    effects = [design_effects([sums]).get(_GOOD), _effect_of_autocorrelation(trials, criterion, fraction, of_queue)]
    effect = max((effect for effect in effects if effect is not None), key=_cost, default=None)
    return Share(criterion, bad, requests, _interval(bad, requests, effect), effect)


def _effect_of_autocorrelation(
    trials: tuple[Trial, ...], criterion: Criterion, fraction: Fraction, of_queue: Autocorrelation
) -> DesignEffect | None:
    """Return the design effect by the autocorrelation of the queue or of the bad requests, whichever is larger."""
    bad, requests, seconds = fraction.bad, fraction.requests, len(fraction.seconds)
    if not 0 < bad < requests or seconds < 2:
        return None
    share = bad / requests
    rests = [[one.bad - share * one.requests for one in trial.seconds.get(criterion.rule, ())] for trial in trials]
    squares = sum(rest * rest for values in rests for rest in values)
    value = squares * seconds / (seconds - 1) / (requests * share * (1 - share))
    longest = max(of_queue, autocorrelation_of(rests), key=lambda found: found.factor)
    return longest.widened(DesignEffect(value, seconds - 1), seconds)


def _cost(effect: DesignEffect) -> float:
    """Return how many requests count as one."""
    return 1 / effect.effective(1, CONFIDENCE)


def _interval(bad: int, requests: int, effect: DesignEffect | None) -> Interval | None:
    """Return the interval of a share as fractions: Wilson's, with the design effect."""
    found = share_interval(bad, requests, CONFIDENCE, effect)
    if found is None:
        return None
    return Interval((found.low or 0.0) / 100, (found.high or 0.0) / 100, CONFIDENCE, found.design_effect)


def _state(bad: int, interval: Interval | None, limit: float) -> State:
    if interval is None:
        return State.UNDECIDED
    low, high = interval.low or 0.0, interval.high or 0.0
    if high < limit or (not limit and not bad):
        return State.HOLDS
    return State.BREAKS if low > limit else State.UNDECIDED


def least_requests(limit: float) -> int:
    """Return how many independent requests are needed to show that a share is below `limit` if none of them is bad.

    With no bad one of n requests, Wilson's interval ends at z² / (n + z²).
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return math.floor(z * z * (1 - limit) / limit) + 1 if limit else 1


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def capacities(levels: Sequence[Level], criteria: Sequence[Criterion]) -> dict[str, tuple[float | None, float | None]]:
    """Return for each rule the highest rate at which it holds below the lowest at which it breaks, and that rate."""
    found = {}
    for criterion in criteria:
        states = [(level.rate_per_s, _state_of(level, criterion)) for level in levels]
        breaks = next((rate for rate, state in states if state is State.BREAKS), None)
        holding = [rate for rate, state in states if state is State.HOLDS and (breaks is None or rate < breaks)]
        found[criterion.rule] = max(holding, default=None), breaks
    return found


def _state_of(level: Level, criterion: Criterion) -> State:
    return next((share.state for share in level.shares if share.criterion == criterion), State.UNDECIDED)
