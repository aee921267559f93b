"""Correct the latencies of a closed model for coordinated omission.

While a user waits for a slow response, it sends no requests. During a stall of 2 s, each user therefore has one slow
request, although every request planned for these 2 s would have been slow. Given the interval between a user's
requests, the missing requests are added as in HdrHistogram (`copyCorrectedForCoordinatedOmission`): for each latency L
above the interval I, also L - I, L - 2 I, ... down to I. The corrected latencies are an estimate for the report. Rules
read the measured latencies.
"""

from loadgate.recorder.sketch import LatencySketch

_MAX_ADDED = 10_000
"""Maximum number of values that are added for one bucket. An interval that would add more is widened."""


def expected_interval_ms(latencies: LatencySketch, user_seconds: float) -> float | None:
    """Return the interval between a user's requests in a run without stalls, or None if it cannot be computed.

    `user_seconds` is the running time of the users, summed over all users; `latencies` are those of all their requests.
    The interval is the mean pause plus the median latency. A pause is time in which the user does not wait for a
    response, so a stall does not lengthen the interval. If the pacing is known (constant_pacing), use it instead.
    """
    median_ms = latencies.quantile(0.5)
    if median_ms is None or user_seconds <= 0:
        return None
    pause_ms = max(0.0, user_seconds * 1000 - latencies.sum_ms) / latencies.count
    interval_ms = pause_ms + median_ms
    return interval_ms if interval_ms > 0 else None


def corrected(latencies: LatencySketch, interval_ms: float) -> LatencySketch:
    """Return the latencies plus those of the requests that a user would have sent every `interval_ms`.

    Raises ValueError if the interval is not above 0.
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
