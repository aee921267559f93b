"""How much a sample can say: the fewest samples for a percentile, and confidence intervals."""

import math
from statistics import NormalDist

from loadgate.recorder import LatencySketch
from loadgate.rules.types import Interval

CONFIDENCE = 0.95
MIN_SAMPLES_FLOOR = 10


def min_samples(quantile: float) -> int:
    """The fewest samples from which a quantile is judged: p95 20, p99 100, p99.9 1000, and never below 10.

    From 1 / (1 - q) samples on, one sample is expected beyond the quantile; with fewer, the nearest-rank quantile is
    simply the largest sample, so a rule for p95 would in truth be one for the maximum. Mirrored below the median.
    """
    tail = min(quantile, 1 - quantile)
    return max(MIN_SAMPLES_FLOOR, math.ceil(round(1 / tail, 6)))


def min_requests_for_share(limit: float) -> int:
    """Return the fewest requests without a failure that show a share of failures below `limit`, a fraction.

    From 1 / limit requests on, one failure is expected at the limit; with fewer, a target that fails more often than
    the limit allows is likely to show none. A limit of 0 asks for no failure among any number of requests.
    """
    return math.ceil(round(1 / limit, 6)) if limit else 1


def quantile_interval(sketch: LatencySketch, quantile: float, confidence: float = CONFIDENCE) -> Interval | None:
    """A confidence interval of a quantile in ms, or None without samples.

    The classical one from order statistics (David and Nagaraja, Order Statistics, 3rd ed., 7.1): the number of
    samples below the true quantile is binomial (n, q) whatever the distribution, so two ranks enclose it. The bounds
    are the outer edges of the sketch's buckets, so that its error is inside the interval too. With few samples no
    rank is high enough (Wilks 1941; p95 needs 72 samples for an upper bound here): that bound is then None.
    The samples are taken as independent; a stall that many share makes the true interval wider.
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
    """The largest l with P(B >= l) >= 1 - a/2 and the smallest u with P(B < u) >= 1 - a/2, B ~ Bin(count, quantile).

    l = 0 and u = count + 1 mean that there is none.
    """
    tail = (1 - confidence) / 2
    deviation = math.sqrt(count * quantile * (1 - quantile))
    # Beyond 12 standard deviations (and for few samples, everywhere) nothing is left to add up.
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
    """Wilson's interval (1927) of a share in percent, or None when `whole` is 0. It stays sensible at 0 and 100 %."""
    if not whole:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = part / whole
    spread = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    centre, scale = share + z * z / (2 * whole), 1 + z * z / whole
    low, high = max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
    return Interval(low=100 * low if part else 0.0, high=100 * high if part < whole else 100.0, confidence=confidence)
