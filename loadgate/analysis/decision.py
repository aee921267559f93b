"""The outcome of a condition on a value that is known within an interval."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from loadgate.analysis.interval import Interval


class RuleOutcome(StrEnum):
    """The outcome of a rule or the verdict of a run."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome with its reason, one sentence. `value` and `interval` have the unit of the condition's limit."""

    outcome: RuleOutcome
    reason: str
    value: float | None = None
    interval: Interval | None = None
    samples: int = 0


def conclude(interval: Interval, holds: Callable[[float], bool]) -> RuleOutcome:
    """Return whether a condition holds at both ends of an interval, at neither, or only at one.

    The condition compares with one limit. A bound that is None is infinite.
    """
    low = holds(float("-inf") if interval.low is None else interval.low)
    high = holds(float("inf") if interval.high is None else interval.high)
    if low and high:
        return RuleOutcome.PASS
    return RuleOutcome.INCONCLUSIVE if low or high else RuleOutcome.FAIL
