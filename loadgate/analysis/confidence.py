"""Confidence intervals, and the minimum number of samples of percentiles and failure rates."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from statistics import NormalDist

from loadgate.analysis.binomial import binomial_cdf
from loadgate.analysis.design_effect import DesignEffect
from loadgate.analysis.interval import Interval
from loadgate.recorder import LatencySketch
from loadgate.recorder.sketch import nearest_rank

CONFIDENCE = 0.95
MIN_SAMPLES_FLOOR = 10
_INDEPENDENT = DesignEffect(1.0, 0)


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


def quantile_interval(
    sketch: LatencySketch,
    quantile: float,
    confidence: float = CONFIDENCE,
    effects: Mapping[int, DesignEffect] | None = None,
) -> Interval | None:
    """Return a confidence interval of a quantile in ms, or None without samples.

    The method is that of order statistics (David and Nagaraja, Order Statistics, 3rd ed., 7.1). For any distribution,
    the number of samples below the true quantile is binomial (n, q), so two ranks enclose the quantile. The bounds are
    the outer edges of the sketch's buckets, so the interval includes the error of the sketch. With few samples, no rank
    is high enough, and the bound is None (Wilks 1941). For example, p95 needs 72 samples for an upper bound.

    `effects` are the design effects by bucket (see `loadgate.analysis.design_effect`). Without them, the samples are
    treated as independent. With them, a bound moves outwards until the share of samples beyond it is compatible with no
    true quantile further out, where n samples count as n / D (Woodruff 1952; the test is inverted as by Francisco and
    Fuller, Annals of Statistics 19, 1991). D is the larger one of those at the quantile and at the bound: a run with
    few stalls has its quantile among the requests without a stall, where D is small.
    """
    if not sketch.count:
        return None
    low_rank, high_rank = _interval_ranks(sketch.count, quantile, confidence)
    design_effect = None
    if effects:
        dependent = _DependentRanks(sketch, quantile, confidence, effects)
        low_rank, low_effect = dependent.lower(low_rank)
        high_rank, high_effect = dependent.upper(high_rank)
        design_effect = max(low_effect, high_effect)
    return Interval(
        low=sketch.bucket_at_rank(low_rank).low_ms if low_rank else None,
        high=sketch.bucket_at_rank(high_rank).high_ms if high_rank <= sketch.count else None,
        confidence=confidence,
        design_effect=design_effect,
    )


class _DependentRanks:
    """Moves the ranks of an interval of independent samples outwards, until they are valid for dependent samples."""

    def __init__(
        self, sketch: LatencySketch, quantile: float, confidence: float, effects: Mapping[int, DesignEffect]
    ) -> None:
        self._count = sketch.count
        self._quantile = quantile
        self._confidence = confidence
        self._tail = (1 - confidence) / 2
        self._buckets = sorted(sketch.buckets)
        self._below = list(accumulate(map(sketch.buckets.__getitem__, self._buckets)))
        self._effects = effects
        self._middle = bisect_left(self._below, nearest_rank(quantile, sketch.count))
        self._at_quantile = self._larger(self._middle, self._larger(self._middle - 1, _INDEPENDENT))

    def upper(self, independent: int) -> tuple[int, float]:
        """Return the rank of the upper bound, count + 1 if there is none, and the design effect at the bound."""
        effect = self._at_quantile
        for place in range(self._middle, len(self._buckets)):
            effect = self._larger(place, self._at_quantile)
            below = self._below[place]
            if below >= independent:
                scale = effect.effective(self._count, self._confidence) / self._count
                size, part = self._count * scale, below * scale
                if scale == 1.0:
                    return independent, effect.value
                if part >= 1 and binomial_cdf(part - 1, size, self._quantile) >= 1 - self._tail:
                    return below, effect.value
        return self._count + 1, effect.value

    def lower(self, independent: int) -> tuple[int, float]:
        """Return the rank of the lower bound, 0 if there is none, and the design effect at the bound."""
        effect = self._at_quantile
        for place in range(self._middle, -1, -1):
            effect = self._larger(place - 1, self._at_quantile)
            below = self._below[place - 1] if place else 0
            if below < independent:
                scale = effect.effective(self._count, self._confidence) / self._count
                if scale == 1.0:
                    return independent, effect.value
                if binomial_cdf(below * scale, self._count * scale, self._quantile) <= self._tail:
                    return below + 1, effect.value
        return 0, effect.value

    def _larger(self, place: int, effect: DesignEffect) -> DesignEffect:
        here = self._effects.get(self._buckets[place]) if place >= 0 else None
        return max(here, effect) if here is not None else effect


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


def share_interval(
    part: int, whole: int, confidence: float = CONFIDENCE, effect: DesignEffect | None = None
) -> Interval | None:
    """Return Wilson's interval (1927) of a share in percent, valid at 0 and 100 % too. None if `whole` is 0.

    With a design effect D, n requests count as n / D. Without one, they are treated as independent.
    """
    if not whole:
        return None
    size = effect.effective(whole, confidence) if effect is not None else whole
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = part / whole
    spread = z * math.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    centre, scale = share + z * z / (2 * size), 1 + z * z / size
    low, high = max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
    return Interval(
        low=100 * low if part else 0.0,
        high=100 * high if part < whole else 100.0,
        confidence=confidence,
        design_effect=effect.value if effect is not None else None,
    )
