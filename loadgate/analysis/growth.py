"""Detect memory growth after warm-up. The slope is robust: garbage collections and spikes do not affect it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from loadgate.run.document import MemoryTrendRecord

WARM_UP_SHARE = 0.2
"""The share of the series that is excluded at its start, because caches and pools fill while a service warms up."""

MIN_SAMPLES = 30
"""The minimum number of samples after warm-up."""

_MAX_POINTS = 300


def memory_trend(times_s: Sequence[float], rss_bytes: Sequence[float]) -> MemoryTrendRecord | None:
    """Fit a Theil-Sen line to a memory series. `None` if there are fewer than `MIN_SAMPLES` after warm-up.

    The slope is the median of the slopes of all pairs (Sen 1968). It is robust against up to 29 % of outliers. A long
    series is first reduced to the medians of equal blocks, to bound the cost.

    Raises:
        ValueError: The two sequences differ in length.
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
    return MemoryTrendRecord(
        bytes_per_minute=slope * 60,
        start_bytes=intercept + slope * times[0],
        end_bytes=intercept + slope * times[-1],
        samples=len(times),
        span_s=times[-1] - times[0],
    )


def _thinned(values: Sequence[float]) -> list[float]:
    size = -(-len(values) // _MAX_POINTS)
    return [median(values[i : i + size]) for i in range(0, len(values), size)]
