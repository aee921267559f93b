"""Queues whose capacity can be computed: what a simulated trial at a rate measures, and the highest rate that holds.

A request is bad if it takes longer than a limit, and at most 5 % may be bad. A queue starts empty in each trial.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapreplace
from itertools import accumulate
from random import Random

from loadgate.analysis.capacity.trial import Criterion, Second, Trial

ALLOWED = 0.05
TAIL_S = 60
"""Requests that end later than this after a trial count for its last second."""

RULE = Criterion("overall: p95", ALLOWED)

Latency = Callable[[float], float]
"""The latency of a request that arrives at a time in seconds. Times ascend."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue that holds up to `capacity_per_s`. `start` starts it, with a source of random numbers and a rate.

    Arrivals are random (Poisson), or evenly spaced like those of an open model of the load gate.
    """

    name: str
    capacity_per_s: float
    limit_s: float
    start: Callable[[Random, float], Latency]
    is_even: bool = False

    def __str__(self) -> str:
        return self.name

    def trial(self, rate_per_s: float, length_s: float, settle_s: float, random: Random) -> Trial:
        """Return what a trial of `settle_s` and then `length_s` seconds measures."""
        latency_of = self.start(random, rate_per_s)
        end_s, limit_s = settle_s + length_s, self.limit_s
        first, last = int(settle_s), int(end_s)
        requests, bad = [0] * (last + TAIL_S), [0] * (last + TAIL_S)
        arrived, completed = [0] * (last + 1), [0] * (last + TAIL_S)
        at = random.random() / rate_per_s
        while at < end_s:
            latency_s = latency_of(at)
            ended = min(int(at + latency_s), last + TAIL_S - 1)
            arrived[int(at)] += 1
            completed[ended] += 1
            if at >= settle_s:
                requests[ended] += 1
                bad[ended] += latency_s > limit_s
            at += 1 / rate_per_s if self.is_even else random.expovariate(rate_per_s)
        changes = (came - left for came, left in zip(arrived, completed[:last], strict=False))
        in_flight = [float(level) for level in accumulate(changes)]
        return Trial(
            rate_per_s,
            length_s,
            {RULE.rule: tuple(map(Second, requests[first:], bad[first:]))},
            arrivals=sum(arrived[first:last]),
            completions=sum(completed[first:last]),
            in_flight=tuple(in_flight[first:]),
        )


def servers(number: int, service_s: Callable[[], float]) -> Latency:
    """Return the latencies of a first-come, first-served queue with a number of servers."""
    free_at = [0.0] * number
    if number == 1:

        def latency_of_one(at: float) -> float:
            ends = max(at, free_at[0]) + service_s()
            free_at[0] = ends
            return ends - at

        return latency_of_one

    def latency(at: float) -> float:
        ends = max(at, free_at[0]) + service_s()
        heapreplace(free_at, ends)
        return ends - at

    return latency


def markov(name: str, number: int, service_s: float, limit_s: float) -> Queue:
    """Return the queue M/M/c."""

    def slow(rate_per_s: float) -> float:
        """Return the share of requests over the limit (Gross et al., Fundamentals of Queueing Theory, 4th ed., 2.3)."""
        mu, load = 1 / service_s, rate_per_s * service_s
        if load >= number:
            return 1.0
        inverse = 1.0  # of Erlang's B, by its recursion
        for server in range(1, number + 1):
            inverse = 1 + server / load * inverse
        waits = number / (number - load) / (inverse + load / (number - load)) if number > 1 else load
        spare = number - 1 - load
        factor = mu * limit_s if abs(spare) < 1e-9 else -math.expm1(-mu * limit_s * spare) / spare
        return math.exp(-mu * limit_s) * (1 + waits * factor)

    def start(random: Random, _rate_per_s: float) -> Latency:
        return servers(number, lambda: random.expovariate(1 / service_s))

    return Queue(name, _root(slow, number / service_s), limit_s, start)


def even(name: str, service_s: float, limit_s: float, phases: int = 1) -> Queue:
    """Return the queue D/E_k/1: arrivals are evenly spaced, as those of an open model of the load gate are.

    A service time is the sum of k exponential phases. With one phase, the queue is D/M/1.
    """

    def slow(rate_per_s: float) -> float:
        """Return the share of requests over the limit (Gross et al., Fundamentals of Queueing Theory, 4th ed., 6.2).

        An arrival finds n phases in the system with the probability of a sum of `weight * root**n`.
        """
        per_s = phases / service_s
        if rate_per_s >= 1 / service_s:
            return 1.0
        roots = [_root_of_phases(per_s / rate_per_s / phases, turn / phases) for turn in range(phases)]
        weights = [root / math.prod(1 / root - 1 / other for other in roots if other is not root) for root in roots]
        total = sum(weight / (1 - root) for weight, root in zip(weights, roots, strict=True))
        mean = per_s * limit_s
        few = [_poisson(number, mean) for number in range(phases)]
        late = 0j
        for weight, root in zip(weights, roots, strict=True):
            rest = cmath.exp(-mean * (1 - root)) - sum(part * root**number for number, part in enumerate(few))
            late += weight / (1 - root) * (sum(few) + root ** (1 - phases) * rest)
        return (late / total).real

    def start(random: Random, _rate_per_s: float) -> Latency:
        return servers(1, lambda: random.gammavariate(phases, service_s / phases))

    return Queue(name, _root(slow, 1 / service_s), limit_s, start, is_even=True)


def _root_of_phases(phase_times: float, turn: float) -> complex:
    """Return the solution of z = exp(2πi * turn - phase_times * (1 - z)) that is inside the unit circle."""
    direction, found = cmath.exp(2j * math.pi * turn), 0j
    for _ in range(20_000):
        before, found = found, direction * cmath.exp(-phase_times * (1 - found))
        if found == before:
            break
    return found


def _poisson(number: int, mean: float) -> float:
    return math.exp(number * math.log(mean) - mean - math.lgamma(number + 1))


def hyperexponential(name: str, parts: tuple[tuple[float, float], ...], limit_s: float) -> Queue:
    """Return the queue M/G/1 whose service times are a mixture of two exponentials: (share, mean in seconds)."""
    (share, _), _ = parts
    mean_s = sum(weight * mean for weight, mean in parts)

    def slow(rate_per_s: float) -> float:
        """Return the share of requests over the limit, by the Pollaczek-Khinchine transform in partial fractions."""
        idle = 1 - rate_per_s * mean_s
        if idle <= 0:
            return 1.0
        (weight, first), (other, second) = ((part, 1 / mean) for part, mean in parts)
        # The transform of the time in the system is idle * upper(s) / lower(s).
        linear, constant = first + second - rate_per_s, first * second * idle
        root = math.sqrt(linear**2 - 4 * constant)
        poles = (-linear + root) / 2, (-linear - root) / 2
        total = 0.0
        for pole, twin in (poles, poles[::-1]):
            upper = weight * first * (pole + second) + other * second * (pole + first)
            total += idle * upper / (pole - twin) / -pole * math.exp(pole * limit_s)
        return total

    def start(random: Random, _rate_per_s: float) -> Latency:
        rates = [1 / mean for _, mean in parts]
        return servers(1, lambda: random.expovariate(rates[random.random() >= share]))

    return Queue(name, _root(slow, 1 / mean_s), limit_s, start)


def pool(name: str, slots: int, service_s: float, limit_s: float) -> Queue:
    """Return a pool of slots with a constant service time. Until all are always in use, no request waits."""

    def start(_random: Random, _rate_per_s: float) -> Latency:
        return servers(slots, lambda: service_s)

    return Queue(name, slots / service_s, limit_s, start, is_even=True)


def cliff(name: str, capacity_per_s: float, limit_s: float) -> Queue:
    """Return a service that is ten times as slow as its limit as soon as the rate is above its capacity."""

    def start(random: Random, rate_per_s: float) -> Latency:
        typical_s = 10 * limit_s if rate_per_s > capacity_per_s else limit_s / 5
        return lambda _at: random.lognormvariate(math.log(typical_s), 0.3)

    return Queue(name, capacity_per_s, limit_s, start)


def _root(slow: Callable[[float], float], most: float) -> float:
    """Return the rate below `most` at which the share of slow requests is as large as allowed."""
    low, high = most * 1e-6, most
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slow(middle) < ALLOWED else (low, middle)
    return low
