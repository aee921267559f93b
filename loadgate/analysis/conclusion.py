"""A conclusion from a value that is known within an interval."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from loadgate.analysis.interval import Interval


class Conclusion(StrEnum):
    """What an interval says about a condition."""

    HOLDS = "pass"
    BROKEN = "fail"
    OPEN = "inconclusive"


@dataclass(frozen=True, slots=True)
class Decision:
    """A conclusion with its reason, one sentence. `value` and `interval` have the unit of the condition's limit."""

    conclusion: Conclusion
    reason: str
    value: float | None = None
    interval: Interval | None = None
    samples: int = 0


def conclude(interval: Interval, holds: Callable[[float], bool]) -> Conclusion:
    """Return whether a condition holds at both ends of an interval, at neither, or only at one.

    The condition compares with one limit. A bound that is None is infinite.
    """
    low = holds(float("-inf") if interval.low is None else interval.low)
    high = holds(float("inf") if interval.high is None else interval.high)
    if low and high:
        return Conclusion.HOLDS
    return Conclusion.OPEN if low or high else Conclusion.BROKEN
