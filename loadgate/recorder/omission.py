"""Correction for coordinated omission in closed-model figures.

A user who waits for a slow answer sends nothing meanwhile, so a stall of 2 s shows as one slow request although every
request meant for those 2 s would have met it. Given the interval at which one user means to send, the missing ones
are put back as HdrHistogram does (`copyCorrectedForCoordinatedOmission`): for each latency L above the interval I,
also L - I, L - 2 I, ... down to I. The corrected figures are an estimate for a reader; rules read what was measured.
"""

from loadgate.recorder.sketch import LatencySketch

_MAX_ADDED = 10_000
"""Most samples put back for one bucket's value; a finer interval is widened so that the work stays bounded."""


def expected_interval_ms(latencies: LatencySketch, user_seconds: float) -> float | None:
    """The interval at which one user means to send a request, or None when it cannot be known.

    `user_seconds` is the time that users were running, summed over users; `latencies` are all requests of these
    users. What users did not spend waiting for answers they spent pausing; a pause, and a median answer, is what
    lies between two requests when nothing stalls. So a stall does not lengthen the interval that it is judged by.
    Where the pacing is known (constant_pacing), use that instead.
    """
    median_ms = latencies.quantile(0.5)
    if median_ms is None or user_seconds <= 0:
        return None
    pause_ms = max(0.0, user_seconds * 1000 - latencies.sum_ms) / latencies.count
    interval_ms = pause_ms + median_ms
    return interval_ms if interval_ms > 0 else None


def corrected(latencies: LatencySketch, interval_ms: float) -> LatencySketch:
    """The latencies with those put back that users would have seen, had they sent every `interval_ms`.

    Raises ValueError unless the interval is above 0.
    """
    if not interval_ms > 0:
        raise ValueError(f"the expected interval must be above 0 ms; got {interval_ms!r}")
    result = latencies.copy()
    for bucket in latencies.iter_buckets():
        value_ms = (bucket.low_ms + bucket.high_ms) / 2
        step_ms = max(interval_ms, value_ms / _MAX_ADDED)
        times = bucket.samples if step_ms == interval_ms else round(bucket.samples * step_ms / interval_ms)
        missing = 1
        while (missing_ms := value_ms - missing * step_ms) >= interval_ms:
            result.record(missing_ms, times)
            missing += 1
    return result
