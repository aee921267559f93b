"""Traffic from a description of each second."""

import random
from collections.abc import Callable, Mapping

from loadgate.analysis.traffic import Traffic
from loadgate.recorder import LatencySketch, TimeSlot, Totals

START_S = 1_700_000_000
BEFORE_S, RUSH_S, AFTER_S = 60, 30, 90
END_S = START_S + BEFORE_S + RUSH_S + AFTER_S
STAGES = [(START_S, "before"), (START_S + BEFORE_S, "rush"), (START_S + BEFORE_S + RUSH_S, "after")]


def second_of(
    rnd: random.Random, requests: int, *, median_ms: float = 100.0, sigma: float = 0.05, failed: float = 0.0
) -> Totals:
    """The requests of a second: latencies are lognormal, and a share of them fails."""
    success, failure = LatencySketch(), LatencySketch()
    for number in range(requests):
        (failure if number < failed * requests else success).record(median_ms * rnd.lognormvariate(0, sigma))
    return Totals(success, failure)


def traffic_of(
    make: Callable[[random.Random, int], Totals | None],
    *,
    seconds: int = BEFORE_S + RUSH_S + AFTER_S,
    arrivals: Mapping[int, float] | None = None,
    seed: int = 1,
) -> Traffic:
    """Traffic of which `make` returns each second after the start, None for a second without requests."""
    rnd = random.Random(seed)
    made = ((second, make(rnd, second)) for second in range(seconds))
    slots = [TimeSlot(START_S + second, 1, totals) for second, totals in made if totals is not None]
    return Traffic("auth", slots, arrivals)


def after_rush(second: int) -> int:
    """The seconds since the end of the rush, negative before it."""
    return second - BEFORE_S - RUSH_S
