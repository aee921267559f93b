"""Find workers whose median latency is far from that of the other workers.

Medians are compared in windows of the same time, so that changes of the target affect all workers alike. A worker is
far in a window if its median is at least RATIO times as large, and DIFFERENCE_MS larger, than the median of the others'
medians, or as much smaller. It is far in the run if that holds in FAR_SHARE of at least MIN_WINDOWS windows. With
MIN_REQUESTS in each window, chance makes a worker far in at most one of nine windows, even for widely spread latencies
(lognormal, sigma 1). Five of six windows then have a probability below 1e-4 (binomial distribution).
The median of the others is robust: one of several slow workers does not make a normal one far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

WINDOW_S = 10
MIN_REQUESTS = 30
RATIO = 1.5
DIFFERENCE_MS = 2.0
MIN_WINDOWS = 6
FAR_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class MedianTally:
    """The windows in which a worker was compared with the others, for one kind of request."""

    windows: int = 0
    slower: int = 0
    """Windows in which it was far slower."""
    faster: int = 0
    _ln_own: float = 0.0
    _ln_others: float = 0.0

    def with_window(self, own_ms: float, others_ms: Sequence[float]) -> MedianTally:
        """Return the tally with one more window: the median of the worker and those of the others, all above 0.

        With a single other worker, only the slower one of both is far, because a generator can only add to a latency.
        """
        typical_ms = median(others_ms)
        is_faster = len(others_ms) > 1 and _is_far(own_ms, typical_ms)
        return MedianTally(
            self.windows + 1,
            self.slower + _is_far(typical_ms, own_ms),
            self.faster + is_faster,
            self._ln_own + math.log(own_ms),
            self._ln_others + math.log(typical_ms),
        )

    @property
    def is_slower(self) -> bool:
        """Return whether the worker was far slower than the others."""
        return self._is_often(self.slower)

    @property
    def is_faster(self) -> bool:
        """Return whether the worker was far faster than the others."""
        return self._is_often(self.faster)

    @property
    def own_ms(self) -> float:
        """Return the geometric mean of the worker's medians."""
        return math.exp(self._ln_own / self.windows)

    @property
    def others_ms(self) -> float:
        """Return the geometric mean of the medians with which it was compared."""
        return math.exp(self._ln_others / self.windows)

    def _is_often(self, windows: int) -> bool:
        return self.windows >= MIN_WINDOWS and windows >= FAR_SHARE * self.windows


def _is_far(low_ms: float, high_ms: float) -> bool:
    return high_ms >= RATIO * low_ms and high_ms - low_ms >= DIFFERENCE_MS


def compare_window(medians_ms: dict[str, float], tallies: dict[str, MedianTally]) -> dict[str, MedianTally]:
    """Return the tallies with a window in which these workers had these medians. It needs at least two workers."""
    if len(medians_ms) < 2:
        return tallies
    changed = {
        worker: tallies.get(worker, MedianTally()).with_window(
            own_ms, [other_ms for other, other_ms in medians_ms.items() if other != worker]
        )
        for worker, own_ms in medians_ms.items()
    }
    return tallies | changed
