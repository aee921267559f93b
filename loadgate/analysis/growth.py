"""Whether a memory series grows: a robust slope after warm-up, so that one collection or one spike does not decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

WARM_UP_SHARE = 0.2
"""Share of the series that is left out at its start: caches and pools fill while a service warms up."""

MIN_SAMPLES = 30
"""Fewer samples after warm-up than this say nothing about a trend."""

_MAX_POINTS = 300


@dataclass(frozen=True, slots=True)
class MemoryTrend:
    """The growth of a memory series after warm-up."""

    bytes_per_minute: float
    start_bytes: float
    """Fitted value at the first sample after warm-up."""
    end_bytes: float
    """Fitted value at the last sample."""
    samples: int
    span_s: float


def memory_trend(times_s: Sequence[float], rss_bytes: Sequence[float]) -> MemoryTrend | None:
    """Fit a Theil-Sen line to a memory series; `None` when there are fewer than `MIN_SAMPLES` after warm-up.

    The slope is the median of the slopes of all pairs (Sen 1968), which up to 29 % of outliers cannot move. Long
    series are thinned to medians of equal blocks first, so that the cost stays bounded.

    Raises:
        ValueError: the two sequences differ in length.
    """
    if len(times_s) != len(rss_bytes):
        raise ValueError(f"{len(times_s)} times but {len(rss_bytes)} values")
    skip = int(len(times_s) * WARM_UP_SHARE)
    times, values = list(times_s[skip:]), list(rss_bytes[skip:])
    if len(times) < MIN_SAMPLES or times[-1] <= times[0]:
        return None
    xs, ys = _thinned(times), _thinned(values)
    slopes = [(ys[j] - ys[i]) / (xs[j] - xs[i]) for i in range(len(xs)) for j in range(i + 1, len(xs)) if xs[j] > xs[i]]
    slope = median(slopes)
    intercept = median(y - slope * x for x, y in zip(xs, ys, strict=True))
    return MemoryTrend(
        bytes_per_minute=slope * 60,
        start_bytes=intercept + slope * times[0],
        end_bytes=intercept + slope * times[-1],
        samples=len(times),
        span_s=times[-1] - times[0],
    )


def _thinned(values: Sequence[float]) -> list[float]:
    size = -(-len(values) // _MAX_POINTS)
    return [median(values[i : i + size]) for i in range(0, len(values), size)]
