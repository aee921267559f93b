"""A confidence interval."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval in the unit of its value. A bound is None if there are too few samples.

    `design_effect` is the number of requests that count as one independent request. It is at least 1, and None if it is
    not known. The interval then treats requests as independent.
    """

    low: float | None
    high: float | None
    confidence: float
    design_effect: float | None = None

    def contains(self, limit: float) -> bool:
        """Return whether `limit` lies strictly inside the interval. A bound that is None counts as infinite."""
        return (self.low is None or self.low < limit) and (self.high is None or limit < self.high)
