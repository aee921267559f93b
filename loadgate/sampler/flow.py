"""Convert amounts between two moments to amounts per second of whole epoch seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MIN_COVERED_S = 0.2
"""If less of a second was measured, the second has no value."""

MAX_INTERVAL_S = 3600.0
"""Two moments further apart are those of a clock that was set."""


@dataclass(slots=True)
class Flow:
    """The amounts of one flow. An amount is spread evenly over the time in which it was measured.

    The sum over all seconds is therefore the measured amount, even if readings are late. If the clock was set between
    two moments, the amount is ignored.
    """

    _second: int = 0
    _amount: float = 0.0
    _covered_s: float = 0.0

    def add(self, start_s: float, end_s: float, amount: float) -> Iterator[tuple[int, float]]:
        """Add an amount between two moments, and return (second, amount per second) of each completed second."""
        if not 0 < end_s - start_s <= MAX_INTERVAL_S:
            return
        rate = amount / (end_s - start_s)
        while start_s < end_s:
            second = int(start_s)
            if second != self._second:
                yield from self.end()
                self._second = second
            part_s = min(end_s, second + 1) - start_s
            self._amount += rate * part_s
            self._covered_s += part_s
            start_s += part_s
            if start_s >= second + 1:
                yield from self.end()

    def end(self) -> Iterator[tuple[int, float]]:
        """Return the value of the last second, which was measured only partly."""
        if self._covered_s >= MIN_COVERED_S:
            yield self._second, self._amount / self._covered_s
        self._amount = self._covered_s = 0.0
