"""Models of noise between independent noise and a random walk, and the filters that make it independent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Noise:
    """A model of the noise: an AR(1) process plus independent noise.

    `memory` is the share of the process that lasts for one unit of time; 1 is a random walk. `white` is the variance of
    the independent noise, as a multiple of the variance of a step of the process. `prior` is the relative probability
    of the model before the data are seen.

    A negative `white` makes the steps of a random walk smoother. With -1/6 it is the mean of a random walk over each
    block (Working, Econometrica 28, 1960).
    """

    memory: float
    white: float = 0.0
    prior: float = 1.0


NOISES = (
    Noise(1.0),
    Noise(1.0, white=-1 / 6),
    Noise(1.0, white=0.3, prior=0.05),
    Noise(1.0, white=1.0, prior=0.05),
    Noise(1.0, white=3.0, prior=0.04),
    Noise(1.0, white=10.0, prior=0.025),
    Noise(1.0, white=30.0, prior=0.015),
    Noise(1.0, white=100.0, prior=0.01),
    *(Noise(memory, prior=0.001) for memory in (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)),
)
"""The averaged models. A random walk is assumed until the data show a memory that fades.

With equal priors, 26 % of the 95 % intervals of random walks of 30 values missed the slope.
`python -m benchmarks.calibrate.growth` shows the share with these priors.
"""


def whitener(times: Sequence[float], noise: Noise) -> tuple[Callable[[Sequence[float]], list[float]], float]:
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
