"""Confidence intervals, and the minimum number of samples of percentiles and failure rates."""

import math
from statistics import NormalDist

from loadgate.analysis.interval import Interval
from loadgate.recorder import LatencySketch

CONFIDENCE = 0.95
MIN_SAMPLES_FLOOR = 10


def min_samples(quantile: float) -> int:
    """Return the minimum number of samples of a quantile: 20 for p95, 100 for p99, 1000 for p99.9, and at least 10.

    With 1 / (1 - q) samples, one sample is expected above the quantile. With fewer samples, the nearest-rank quantile
    is the largest sample, so a rule for p95 would compare the maximum. Below the median, q is replaced by 1 - q.
    """
    tail = min(quantile, 1 - quantile)
    return max(MIN_SAMPLES_FLOOR, math.ceil(round(1 / tail, 6)))


def min_requests_for_share(limit: float) -> int:
    """Return the minimum number of requests without a failure that shows a failure rate below `limit` (a fraction).

    With 1 / limit requests, one failure is expected at the limit. With fewer requests, a target whose failure rate is
    above the limit often shows no failure. For a limit of 0 one request is enough.
    """
    return math.ceil(round(1 / limit, 6)) if limit else 1


def quantile_interval(sketch: LatencySketch, quantile: float, confidence: float = CONFIDENCE) -> Interval | None:
    """Return a confidence interval of a quantile in ms, or None without samples.

    The method is that of order statistics (David and Nagaraja, Order Statistics, 3rd ed., 7.1). For any distribution,
    the number of samples below the true quantile is binomial (n, q), so two ranks enclose the quantile. The bounds are
    the outer edges of the sketch's buckets, so the interval includes the error of the sketch. With few samples, no rank
    is high enough, and the bound is None (Wilks 1941). For example, p95 needs 72 samples for an upper bound. The method
    assumes independent samples. If a stall affects many requests, the true interval is wider.
    """
    if not sketch.count:
        return None
    low_rank, high_rank = _interval_ranks(sketch.count, quantile, confidence)
    return Interval(
        low=sketch.bucket_at_rank(low_rank).low_ms if low_rank else None,
        high=sketch.bucket_at_rank(high_rank).high_ms if high_rank <= sketch.count else None,
        confidence=confidence,
    )


def _interval_ranks(count: int, quantile: float, confidence: float) -> tuple[int, int]:
    """Return the ranks l and u of the bounds, for B ~ Bin(count, quantile) and a = 1 - confidence.

    l is the largest rank with P(B >= l) >= 1 - a/2, and u the smallest with P(B < u) >= 1 - a/2. l = 0 or
    u = count + 1 means that the bound does not exist.
    """
    tail = (1 - confidence) / 2
    deviation = math.sqrt(count * quantile * (1 - quantile))
    # Ranks more than 12 standard deviations below the mean add nothing. With few samples, all ranks are summed.
    first = max(0, math.floor(count * quantile - 12 * deviation) - 1) if count > 1000 else 0
    below, rank = 0.0, first
    low_rank = first
    while rank <= count:
        below += _binomial_pmf(rank, count, quantile)  # P(B <= rank)
        if below <= tail:
            low_rank = rank + 1
        if below >= 1 - tail:
            return low_rank, rank + 1
        rank += 1
    return low_rank, count + 1


def _binomial_pmf(successes: int, trials: int, probability: float) -> float:
    log_choices = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
    return math.exp(log_choices + successes * math.log(probability) + (trials - successes) * math.log1p(-probability))


def share_interval(part: int, whole: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return Wilson's interval (1927) of a share in percent, valid at 0 and 100 % too. None if `whole` is 0."""
    if not whole:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = part / whole
    spread = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    centre, scale = share + z * z / (2 * whole), 1 + z * z / whole
    low, high = max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
    return Interval(low=100 * low if part else 0.0, high=100 * high if part < whole else 100.0, confidence=confidence)
