"""Test confidence intervals and minimum samples against tables, exact sums and simulated runs."""

import math
import random

import pytest

from loadgate.analysis.confidence import _interval_ranks, min_samples, quantile_interval, share_interval
from loadgate.recorder import LatencySketch


@pytest.mark.parametrize(
    ("quantile", "samples"),
    [
        (0.5, 10),
        (0.75, 10),
        (0.9, 10),
        (0.95, 20),
        (0.98, 50),
        (0.99, 100),
        (0.999, 1000),
        (0.9999, 10_000),
        (0.01, 100),
    ],
)
def test_minimum_numbers_of_samples(quantile: float, samples: int) -> None:
    assert min_samples(quantile) == samples


@pytest.mark.parametrize("quantile", [0.9, 0.95, 0.99, 0.999])
def test_with_fewer_samples_the_quantile_would_be_the_maximum(quantile: float) -> None:
    fewest = min_samples(quantile)
    sketch = LatencySketch()
    for number in range(1, fewest):
        sketch.record(float(number))
    assert sketch.quantile(quantile) == sketch.max_ms

    sketch.record(float(fewest))
    assert (sketch.quantile(quantile) or 0) < (sketch.max_ms or 0)


def exact_ranks(count: int, quantile: float, confidence: float) -> tuple[int, int]:
    """By the definition, with exact binomial sums."""
    tail = (1 - confidence) / 2
    cdf, total = [], 0.0
    for k in range(count + 1):
        total += math.comb(count, k) * quantile**k * (1 - quantile) ** (count - k)
        cdf.append(total)
    low = max([rank for rank in range(1, count + 1) if cdf[rank - 1] <= tail], default=0)
    high = min([rank for rank in range(1, count + 1) if cdf[rank - 1] >= 1 - tail], default=count + 1)
    return low, high


@pytest.mark.parametrize("count", [1, 2, 5, 6, 20, 59, 71, 72, 73, 100, 299, 1000])
@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9, 0.95, 0.99])
def test_ranks_are_those_of_the_binomial_distribution(count: int, quantile: float) -> None:
    assert _interval_ranks(count, quantile, 0.95) == exact_ranks(count, quantile, 0.95)


def test_known_ranks_from_the_literature() -> None:
    # Median of 10 samples at 95 %: the 2nd and the 9th (the sign test's table).
    assert _interval_ranks(10, 0.5, 0.95) == (2, 9)
    # No upper bound for p95 below 72 samples: 0.95^72 is the first power below 2.5 %.
    assert [_interval_ranks(count, 0.95, 0.95)[1] for count in (71, 72)] == [72, 72]


def test_many_samples_agree_with_the_normal_approximation() -> None:
    low, high = _interval_ranks(1_000_000, 0.95, 0.95)
    spread = 1.959964 * math.sqrt(1_000_000 * 0.95 * 0.05)

    assert low == pytest.approx(950_000 - spread, abs=2)
    assert high == pytest.approx(950_000 + spread, abs=2)


@pytest.mark.parametrize("count", [100, pytest.param(400, marks=pytest.mark.full)])
def test_the_interval_covers_the_true_percentile_with_its_confidence(count: int) -> None:
    rnd = random.Random(count)
    true_p95 = math.exp(3 + 0.8 * 1.6448536269514722)
    covered = 0
    for _ in range(600):
        sketch = LatencySketch()
        for _ in range(count):
            sketch.record(rnd.lognormvariate(3, 0.8))
        interval = quantile_interval(sketch, 0.95)
        assert interval is not None
        covered += interval.contains(true_p95)

    assert covered / 600 >= 0.93


def test_no_samples_give_no_interval_and_few_samples_an_open_one() -> None:
    sketch = LatencySketch()
    assert quantile_interval(sketch, 0.95) is None
    for number in range(20):
        sketch.record(10.0 + number)

    interval = quantile_interval(sketch, 0.95)

    assert interval is not None
    assert interval.high is None
    assert interval.low == pytest.approx(26.0, rel=0.005)  # the 17th: P(B <= 16) = 1.6 %, P(B <= 17) = 7.5 %
    assert interval.contains(1e9)
    assert not interval.contains(10.0)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (1, 29, 0.61, 17.18)],
)
def test_wilson_intervals_of_the_literature(part: int, whole: int, low: float, high: float) -> None:
    interval = share_interval(part, whole)

    assert interval is not None
    assert (interval.low, interval.high) == (pytest.approx(low, abs=0.006), pytest.approx(high, abs=0.006))


def test_a_share_without_requests_has_no_interval_and_a_full_share_ends_at_100() -> None:
    assert share_interval(0, 0) is None
    full = share_interval(20, 20)
    assert full is not None
    assert full.high == 100.0
