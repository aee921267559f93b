"""A confidence interval."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval in the unit of its value. A bound is None if there are too few samples."""

    low: float | None
    high: float | None
    confidence: float

    def contains(self, limit: float) -> bool:
        """Return whether `limit` lies strictly inside the interval. A bound that is None counts as infinite."""
        return (self.low is None or self.low < limit) and (self.high is None or limit < self.high)
