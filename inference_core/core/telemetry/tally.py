"""Collect durations for a histogram of Prometheus, for what happens several times in a request."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Histogram


class Tally:
    """Durations that are added to a histogram together.

    Only one thread may use it. Fast path: `Histogram.observe` takes 2 us, and `observe` 0.3 us; a route with
    authentication (benchmarks/auth_ratio.py) calls it once or more.
    """

    __slots__ = ("_bounds_s", "_counts", "_histogram", "_sum_s")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._bounds_s = histogram._upper_bounds  # noqa: SLF001  # prometheus_client has no other way to add several
        self._counts = [0] * len(self._bounds_s)
        self._sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        """Note a duration."""
        self._counts[bisect_left(self._bounds_s, duration_s)] += 1
        self._sum_s += duration_s

    def flush(self) -> None:
        """Add the durations since the last call to the histogram."""
        for index, count in enumerate(self._counts):
            if count:
                self._histogram._buckets[index].inc(count)  # noqa: SLF001
                self._counts[index] = 0
        if self._sum_s:
            self._histogram._sum.inc(self._sum_s)  # noqa: SLF001
            self._sum_s = 0.0
