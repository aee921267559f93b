"""Series of memory and of counts with a known growth, one value a second."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from random import Random

from loadgate.analysis.growth.kind import Cause
from loadgate.recorder.resources import ResourceUnit

MB = 1e6
BASE = 120 * MB
MINUTE_S = 60

Draw = Callable[[Random, int], list[float]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of series: `draw` returns its values of a number of seconds. `per_hour` is its true growth."""

    name: str
    draw: Draw
    unit: ResourceUnit = ResourceUnit.BYTES
    per_hour: float = 0.0


def walk(rng: Random, seconds: int, step: float = 0.3 * MB) -> Iterator[float]:
    """Return a random walk whose steps have a standard deviation of `step` a second."""
    return accumulate(rng.gauss(0, step) for _ in range(seconds))


def _autoregression(memory_s: float, rng: Random, seconds: int) -> list[float]:
    """Return noise of 1 MB whose autocorrelation falls to 37 % in `memory_s` seconds."""
    kept = math.exp(-1 / memory_s)
    steps = (rng.gauss(0, math.sqrt(1 - kept**2) * MB) for _ in range(seconds - 1))
    noise = accumulate(steps, lambda level, change: kept * level + change, initial=rng.gauss(0, MB))
    return [BASE + value for value in noise]


def _independent(rng: Random, seconds: int) -> list[float]:
    return [BASE + rng.gauss(0, MB) for _ in range(seconds)]


def _random_walk(rng: Random, seconds: int) -> list[float]:
    return [BASE + value for value in walk(rng, seconds)]


def _walk_and_noise(rng: Random, seconds: int) -> list[float]:
    return [BASE + value + rng.gauss(0, 5 * MB) for value in walk(rng, seconds)]


def _walk_with_heavy_tails(rng: Random, seconds: int) -> list[float]:
    """Return a random walk whose steps have the infinite variance of Student's t with 2 degrees of freedom."""
    steps = (0.1 * MB * rng.gauss(0, 1) / math.sqrt(rng.expovariate(1)) for _ in range(seconds))
    return [BASE + value for value in accumulate(steps)]


def _jumps(rng: Random, seconds: int) -> list[float]:
    """Return a level that jumps up or down about every two minutes."""
    steps = (rng.choice((-5, 5)) * MB if rng.random() < 1 / 120 else 0.0 for _ in range(seconds))
    return [BASE + value for value in accumulate(steps)]


def _one_step(rng: Random, seconds: int) -> list[float]:
    at = rng.uniform(0.1, 0.9) * seconds
    return [BASE + 30 * MB * (second > at) + rng.random() * 2 * MB for second in range(seconds)]


def _cache(rng: Random, seconds: int) -> list[float]:
    """Return a cache that fills at a constant rate in 20 to 60 % of the time."""
    full = rng.uniform(0.2, 0.6) * seconds
    return [BASE + 40 * MB * min(1.0, second / full) + rng.random() * 2 * MB for second in range(seconds)]


def _warm_up(rng: Random, seconds: int) -> list[float]:
    time_constant = rng.uniform(0.05, 0.3) * seconds
    return [BASE - 40 * MB * math.exp(-second / time_constant) + rng.random() * 2 * MB for second in range(seconds)]


def _sawtooth(rng: Random, seconds: int) -> list[float]:
    period = rng.uniform(5, 90)
    return [BASE + 60 * MB * (second % period) / period + rng.random() * MB for second in range(seconds)]


def _high_water(rng: Random, seconds: int) -> list[float]:
    """Return what an allocator keeps that never returns memory: the maximum of the needs so far."""
    needs = (3 * MB * rng.expovariate(1) for _ in range(seconds))
    return [BASE + value for value in accumulate(needs, max)]


def _bursts(rng: Random, seconds: int) -> list[float]:
    """Return arenas that few bursts leave behind."""
    steps = (rng.uniform(2, 15) * MB if rng.random() < 3 / seconds else 0.0 for _ in range(seconds))
    return [BASE + value + rng.random() * MB for value in accumulate(steps)]


def _threads(rng: Random, seconds: int) -> list[float]:
    """Return a thread pool that changes its size by one now and then."""
    return [20.0 + round(value) for value in walk(rng, seconds, 0.1)]


def _open_files(rng: Random, seconds: int) -> list[float]:
    """Return a number of open files that follows the load."""
    return [40.0 + sum(rng.random() < 0.3 for _ in range(30)) for _ in range(seconds)]


def _constant(_rng: Random, seconds: int) -> list[float]:
    return [12.0] * seconds


NOISE = (
    Kind("independent noise", _independent),
    Kind("autocorrelation of 10 s", partial(_autoregression, 10)),
    Kind("autocorrelation of 1 min", partial(_autoregression, 60)),
    Kind("autocorrelation of 5 min", partial(_autoregression, 300)),
    Kind("random walk", _random_walk),
    Kind("random walk with noise", _walk_and_noise),
    Kind("random walk with heavy tails", _walk_with_heavy_tails),
    Kind("jumps up and down", _jumps),
    Kind("size of a thread pool", _threads, ResourceUnit.COUNT),
    Kind("open files of the load", _open_files, ResourceUnit.COUNT),
    Kind("constant count", _constant, ResourceUnit.COUNT),
)
"""Series without a trend."""

SHAPES = (
    Kind("one step of 30 MB", _one_step),
    Kind("cache that fills", _cache),
    Kind("warm-up", _warm_up),
    Kind("sawtooth of 60 MB", _sawtooth),
    Kind("high-water mark", _high_water),
    Kind("arenas after bursts", _bursts),
)
"""Series that grow and are no leaks."""


HEALTHY = (
    Kind("independent noise", _independent),
    Kind("open files of the load", _open_files, ResourceUnit.COUNT),
    Kind("constant count", _constant, ResourceUnit.COUNT),
)
"""Series of a healthy service in its steady state, which 30 minutes must show to be flat."""


def _leak(per_hour: float, rng: Random, seconds: int) -> list[float]:
    """Return a leak under a slow random walk and a sawtooth of 2 MB with random phases."""
    return [
        BASE + per_hour / 3600 * second + drift + rng.random() * 2 * MB
        for second, drift in enumerate(walk(rng, seconds, 0.01 * MB))
    ]


def _pool_that_leaks(per_hour: float, rng: Random, seconds: int) -> list[float]:
    """Return a pool of 20 that leaks whole units at a steady rate, with one more in a fifth of the seconds."""
    phase = rng.random()
    return [20.0 + int(per_hour / 3600 * second + phase) + (rng.random() < 0.2) for second in range(seconds)]


def growing(unit: ResourceUnit, per_hour: float) -> Kind:
    """Return a kind of series with a steady growth in bytes or units an hour, which can be 0."""
    if unit is ResourceUnit.BYTES:
        return Kind(f"leak of {per_hour / MB:g} MB/h", partial(_leak, per_hour), unit, per_hour)
    return Kind(f"leak of {per_hour:g}/h", partial(_pool_that_leaks, per_hour), unit, per_hour)


LEAKS = tuple(growing(ResourceUnit.BYTES, megabytes * MB) for megabytes in (2.5, 5, 10, 20, 40, 60))


@dataclass(frozen=True, slots=True)
class Companions:
    """A series of memory with its companions, and the kind that it has."""

    cause: Cause
    memory: list[float]
    python_blocks: list[float]
    heap_in_use: list[float]


def companions(rng: Random, seconds: int, cause: Cause, per_hour: float) -> Companions:
    """Return the series of a process whose memory grows for `cause`. A leaked Python block has 100 bytes."""
    memory = _cache(rng, seconds) if cause is Cause.LEVELS_OFF else _leak(per_hour, rng, seconds)
    leaked = [per_hour / 3600 * second for second in range(seconds)]
    python, native = cause is Cause.PYTHON, cause is Cause.NATIVE
    return Companions(
        cause,
        memory,
        [700e3 + python * amount / 100 + rng.gauss(0, 1000) for amount in leaked],
        [20 * MB + native * amount + rng.random() * MB for amount in leaked],
    )
