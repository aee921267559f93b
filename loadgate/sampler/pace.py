"""Repeat a measurement only so often that it uses at most a given share of a CPU core."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

MAX_SHARE = 0.05
"""The share of a core that the readings of the processes, and those of each URL, use at most."""

PERIOD_S = 1.0
"""Everything is measured once a second. What fits into this period is always due."""


class Pace:
    """Says when a measurement is due. All moments are in seconds of one clock."""

    def __init__(self, max_share: float = MAX_SHARE, min_interval_s: float = 0.0) -> None:
        self._max_share = max_share
        self._min_interval_s = min_interval_s
        self._next_s = -math.inf

    def is_due(self, now_s: float) -> bool:
        """Return whether the measurement can be repeated."""
        return now_s >= self._next_s

    @contextmanager
    def measuring(self, now_s: float) -> Iterator[None]:
        """Take the CPU time of this thread in the block as that of a measurement."""
        began_s = time.thread_time()
        try:
            yield
        finally:
            interval_s = (time.thread_time() - began_s) / self._max_share
            self._next_s = now_s + max(interval_s if interval_s > PERIOD_S else 0.0, self._min_interval_s)

    def forget(self) -> None:
        """Make the measurement due, because the clock was set."""
        self._next_s = -math.inf
