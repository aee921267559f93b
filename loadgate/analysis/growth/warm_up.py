"""Curves of a rise or fall that comes to an end: a warm-up, a cache that fills."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """How a warm-up approaches its level."""

    EXPONENTIAL = "exponential"
    """Ever more slowly. `time` is the time constant, after which 63 % is done."""
    LINEAR = "linear"
    """At a constant rate until it is done. `time` is its length."""


SHARES = {
    Shape.EXPONENTIAL: (0.025, 0.05, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5),
    Shape.LINEAR: (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
}
"""The times that are tried first, as shares of the span of the series."""

REFINEMENT = (0.78, 0.85, 0.92, 1.08, 1.17, 1.27)
"""The multiples of the best time that are tried next."""

STEPS = (0.04, 0.02, 0.01, 0.005, 0.0025, 0.0012, 0.0006)
"""The distances from the best time at which its neighbours are tried then, as shares of it."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The remaining share of a warm-up over time."""

    shape: Shape
    time: float

    def scaled(self, factor: float) -> Curve:
        """Return the same curve at another pace."""
        return Curve(self.shape, factor * self.time)

    def at(self, time: float) -> float:
        """Return the remaining share at a time. It is 1 at time 0."""
        if self.shape is Shape.LINEAR:
            return max(0.0, 1 - time / self.time)
        return math.exp(-time / self.time)


def first_curves(span: float) -> list[Curve]:
    """Return the curves that are tried first."""
    return [Curve(shape, share * span) for shape, shares in SHARES.items() for share in shares]


def refined(curve: Curve) -> list[Curve]:
    """Return the neighbours of a curve."""
    return [curve.scaled(factor) for factor in REFINEMENT]
