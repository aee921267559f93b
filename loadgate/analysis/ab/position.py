"""On which side of a regression a commit lies, from its change to the bad end."""

from __future__ import annotations

from enum import IntEnum
from math import sqrt

from loadgate.analysis.ab.result import Change
from loadgate.analysis.ab.segments import ChangeUnit


class Position(IntEnum):
    """Where a commit lies. The values are the exit codes that `git bisect run` expects."""

    GOOD = 0
    BAD = 1
    UNDECIDED = 125


def halfway(ends: Change) -> float:
    """Return half of the change between the ends: of the logarithm of a latency. Raises ValueError without a change."""
    if ends.change is None:
        raise ValueError(f"{ends.measure} has no change between the ends")
    if ends.measure.unit is not ChangeUnit.PERCENT:
        return ends.change / 2
    return sqrt(1 + ends.change) - 1


def position(to_bad: Change, half: float) -> Position:
    """Return where a commit lies, given the change from it to the bad end, and half of the change between the ends.

    If the commit comes before the regression, the whole change lies between it and the bad end; otherwise there is
    none. The commit is undecided if the 95 % interval contains the half.
    """
    interval = to_bad.interval
    if interval is None:
        return Position.UNDECIDED
    if interval.low is not None and interval.low > half:
        return Position.GOOD
    if interval.high is not None and interval.high < half:
        return Position.BAD
    return Position.UNDECIDED
