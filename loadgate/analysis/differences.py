"""The interval of the difference of two independent values, from their own intervals.

The distances from the two values to their bounds are added like standard errors (the method of variance estimates
recovery: G. Y. Zou and A. Donner, Statistics in Medicine 27, 2008; for shares R. G. Newcombe, ibid. 17, 1998). The
result keeps the asymmetry of both intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, log


@dataclass(frozen=True, slots=True)
class Measured:
    """A value with the bounds of its 95 % interval. A bound is None if it is unknown."""

    value: float
    low: float | None
    high: float | None

    def logarithm(self) -> Measured | None:
        """Return the natural logarithm of the value and its bounds. None for a value of 0 or less."""
        if self.value <= 0:
            return None
        low, high = (log(bound) if bound is not None and bound > 0 else None for bound in (self.low, self.high))
        return Measured(log(self.value), low, high)


def difference(base: Measured, head: Measured) -> Measured:
    """Return head - base with its interval. A bound is unknown if one of the bounds that it is made of is unknown."""
    value = head.value - base.value
    below = _distance(_gap(head.value, head.low), _gap(base.value, base.high))
    above = _distance(_gap(head.value, head.high), _gap(base.value, base.low))
    return Measured(value, None if below is None else value - below, None if above is None else value + above)


def _gap(value: float, bound: float | None) -> float | None:
    return None if bound is None else bound - value


def _distance(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else hypot(one, other)
