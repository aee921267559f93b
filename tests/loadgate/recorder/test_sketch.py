"""Test the sketch against exact percentiles of sorted samples, and after merging and storing."""

import itertools
import math
import random

import pytest

from loadgate.recorder import RELATIVE_ERROR, LatencySketch
from loadgate.recorder.sketch import bucket_bounds_us, bucket_index, nearest_rank

QUANTILES = (0.0, 0.01, 0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0)


def lognormal(count: int) -> list[float]:
    rnd = random.Random(1)
    return [max(0.1, rnd.lognormvariate(3, 1.2)) for _ in range(count)]


def bimodal(count: int) -> list[float]:
    rnd = random.Random(2)
    return [rnd.uniform(2000, 2100) if rnd.random() < 0.01 else rnd.uniform(4, 6) for _ in range(count)]


def log_uniform(count: int) -> list[float]:
    rnd = random.Random(3)
    return [math.exp(rnd.uniform(math.log(0.1), math.log(600_000))) for _ in range(count)]


DISTRIBUTIONS = {
    "constant": [104.0] * 5000,
    "lognormal": lognormal(20_000),
    "bimodal with 1 % stalls": bimodal(20_000),
    "100 us to 10 min": log_uniform(20_000),
    "few": [3.0, 1.0, 2.0],
    "one": [17.3],
    "ends of the range": [0.1, 600_000.0] * 50,
}


def sketch_of(values: list[float]) -> LatencySketch:
    sketch = LatencySketch()
    for value in values:
        sketch.record(value)
    return sketch


def exact_quantile(values: list[float], q: float) -> float:
    """Return the smallest value v for which at least q n values are <= v, in exact arithmetic."""
    ordered = sorted(values)
    return next(
        value for rank, value in enumerate(ordered, start=1) if rank * 10_000 >= round(q * 10_000) * len(ordered)
    )


@pytest.mark.parametrize("values", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
@pytest.mark.parametrize("q", QUANTILES)
def test_quantiles_lie_within_half_a_percent_of_the_exact_ones(values: list[float], q: float) -> None:
    reported = sketch_of(values).quantile(q)

    assert reported == pytest.approx(exact_quantile(values, q), rel=RELATIVE_ERROR * (1 + 1e-9))


def test_every_bucket_from_100_us_to_10_min_keeps_the_bound() -> None:
    for value_us in (100, 255, 256, 257, 511, 512, 1000, 99_999, 104_900, 10**6, 6 * 10**8 - 1, 6 * 10**8):
        low_us, high_us = bucket_bounds_us(bucket_index(value_us))
        middle_us = (low_us + high_us) / 2
        assert low_us <= value_us < high_us
        assert max(middle_us - low_us, high_us - middle_us) / low_us <= RELATIVE_ERROR


def test_buckets_are_contiguous() -> None:
    edges = [bucket_bounds_us(index) for index in range(4000)]

    assert all(this[1] == following[0] for this, following in itertools.pairwise(edges))
    assert edges[-1][0] > 600_000_000
    assert all(bucket_index(low) == bucket_index(high - 1) == index for index, (low, high) in enumerate(edges))


@pytest.mark.parametrize("value_ms", [0.0, 0.05, 0.1, 1.001, 99.99, 104.0, 104.9, 1625.3, 600_000.0, 7_200_000.0])
def test_a_constant_latency_is_reported_exactly(value_ms: float) -> None:
    sketch = sketch_of([value_ms] * 100)

    assert [sketch.quantile(q) for q in QUANTILES] == [value_ms] * len(QUANTILES)


def test_count_sum_and_extremes_are_exact() -> None:
    sketch = sketch_of([0.3, 250.25, 1.5])

    assert (sketch.count, sketch.sum_ms, sketch.min_ms, sketch.max_ms) == (3, 252.05, 0.3, 250.25)
    assert sketch.mean_ms == pytest.approx(252.05 / 3)


def test_an_empty_sketch_has_no_values() -> None:
    sketch = LatencySketch()

    assert (sketch.count, sketch.quantile(0.5), sketch.mean_ms, sketch.min_ms, sketch.max_ms) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert list(sketch.iter_buckets()) == []


@pytest.mark.parametrize("value", [-0.001, -1e9, math.nan, math.inf, -math.inf])
def test_an_impossible_latency_is_refused(value: float) -> None:
    sketch = LatencySketch()

    with pytest.raises(ValueError, match="finite number of milliseconds"):
        sketch.record(value)
    assert sketch == LatencySketch()


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_outside_0_to_1_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        sketch_of([1.0]).quantile(q)


@pytest.mark.parametrize("values", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
def test_merging_any_parts_in_any_order_equals_the_sketch_of_all_samples(values: list[float]) -> None:
    rnd = random.Random(5)
    parts: list[list[float]] = [[] for _ in range(7)]
    for value in values:
        rnd.choice(parts).append(value)
    rnd.shuffle(parts)

    merged = LatencySketch()
    for part in parts:
        merged.merge(sketch_of(part))

    assert merged == sketch_of(values)
    assert merged.count == len(values)


def test_a_copy_is_independent() -> None:
    original = sketch_of([1.0])
    clone = original.copy()
    clone.record(2.0)

    assert original == sketch_of([1.0])
    assert clone == sketch_of([1.0, 2.0])


def test_memory_is_bounded_by_the_range_not_by_the_samples() -> None:
    assert len(sketch_of(log_uniform(20_000)).buckets) <= bucket_index(600_000_000) + 1 < 3000
    assert len(sketch_of([104.0] * 10_000).buckets) == 1


def test_buckets_ascend_hold_their_samples_and_end_at_the_extremes() -> None:
    values = lognormal(2000)
    buckets = list(sketch_of(values).iter_buckets())

    assert [b.low_ms for b in buckets] == sorted(b.low_ms for b in buckets)
    assert (buckets[0].low_ms, buckets[-1].high_ms) == (min(values), max(values))
    for bucket in buckets[1:-1]:
        assert sum(bucket.low_ms <= value < bucket.high_ms for value in values) == bucket.samples


@pytest.mark.parametrize(
    ("limit_ms", "above"), [(0.0, 100), (0.99, 100), (50.0, 50), (50.4, 50), (100.0, 0), (1000.0, 0)]
)
def test_count_above_counts_samples_beyond_a_limit(limit_ms: float, above: int) -> None:
    assert sketch_of([float(n) for n in range(1, 101)]).count_above(limit_ms) == above


@pytest.mark.parametrize(
    ("q", "count", "rank"),
    [
        (0.95, 100, 95),
        (0.95, 20, 19),
        (0.95, 19, 19),
        (0.07, 100, 7),
        (0.999, 1000, 999),
        (0.5, 1, 1),
        (0, 9, 1),
        (1, 9, 9),
    ],
)
def test_the_rank_is_the_nearest_without_binary_noise(q: float, count: int, rank: int) -> None:
    assert nearest_rank(q, count) == rank


@pytest.mark.parametrize("rank", [0, 4])
def test_a_rank_outside_the_samples_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match="not among 3 samples"):
        sketch_of([1.0, 2.0, 3.0]).bucket_at_rank(rank)


def test_recording_several_times_equals_recording_each() -> None:
    several = LatencySketch()
    several.record(12.345, times=4)

    assert several == sketch_of([12.345] * 4)


def test_the_sum_of_many_sketches_equals_consecutive_merges() -> None:
    parts = [LatencySketch() for _ in range(4)]
    for number, value_ms in enumerate([*lognormal(500), *bimodal(500)]):
        parts[number % 3].record(value_ms)
    parts[3].untimed = 2
    one_by_one = LatencySketch()
    for part in parts:
        one_by_one.merge(part)
    total = LatencySketch.sum_of(parts)
    assert total == one_by_one
    assert (total.count, total.untimed) == (1000, 2)
    assert LatencySketch.sum_of([]) == LatencySketch()


def test_ranks_are_found_in_their_buckets() -> None:
    sketch = LatencySketch()
    values_ms = sorted(lognormal(300))
    for value_ms in values_ms:
        sketch.record(value_ms)
    ranks = [1, 150, 299, 300]
    assert sketch.bucket_indices(ranks) == [bucket_index(int(values_ms[rank - 1] * 1000 + 5e-4)) for rank in ranks]


def test_a_stored_sketch_counts_samples_above_the_bucket_of_a_limit() -> None:
    sketch = LatencySketch()
    for value_ms in (1.0, 2.0, 2.0, 300.0):
        sketch.record(value_ms)
    again = LatencySketch.from_stored(sketch.buckets, sketch.min_ms, sketch.max_ms, sketch.mean_ms)
    assert again == sketch
    assert [again.count_from(limit_ms) for limit_ms in (0.5, 1.0, 2.0, 2.1, 300.0, 301.0)] == [4, 4, 3, 1, 0, 0]
