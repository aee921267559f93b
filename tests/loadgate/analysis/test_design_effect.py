"""Test the design effect against its definition, and the coverage of the intervals that use it."""

import random
from collections.abc import Sequence

import pytest

from benchmarks.calibrate.intervals import Case, coverage
from loadgate.analysis.batches import WIDTHS_S, BatchSums
from loadgate.analysis.confidence import quantile_interval, share_interval
from loadgate.analysis.design_effect import MIN_BATCHES, DesignEffect, design_effects
from loadgate.recorder import LatencySketch

Second = tuple[int, dict[int, int]]


def sums_of(seconds: Sequence[Second]) -> BatchSums:
    sums = BatchSums()
    for start_s, counts in seconds:
        sums.add(start_s, counts)
    return sums


def by_definition(seconds: Sequence[Second], bucket: int) -> float:
    """Return the largest design effect over all widths, straight from its definition."""
    found = [1.0]
    whole = sum(sum(counts.values()) for _, counts in seconds)
    above = sum(samples for _, counts in seconds for index, samples in counts.items() if index > bucket)
    share = above / whole
    for width_s in WIDTHS_S:
        batches: dict[int, list[int]] = {}
        for start_s, counts in seconds:
            if counts:
                batch = batches.setdefault(start_s // width_s, [0, 0])
                batch[0] += sum(counts.values())
                batch[1] += sum(samples for index, samples in counts.items() if index > bucket)
        if len(batches) >= MIN_BATCHES:
            variance = sum((y - share * n) ** 2 for n, y in batches.values()) / whole**2
            variance *= len(batches) / (len(batches) - 1)
            found.append(variance / (share * (1 - share) / whole))
    return max(found)


def random_seconds(seed: int, seconds: int, *, gaps: bool) -> list[Second]:
    rnd = random.Random(seed)
    found: list[Second] = []
    for second in range(1000, 1000 + seconds):
        middle = rnd.choice((10, 10, 10, 30))
        size = 0 if gaps and rnd.random() < 0.3 else rnd.randrange(1, 20)
        counts: dict[int, int] = {}
        for _ in range(size):
            bucket = middle + rnd.randrange(5)
            counts[bucket] = counts.get(bucket, 0) + 1
        found.append((second, counts))
    return found


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("seconds", [MIN_BATCHES, 25, 83, 300])
def test_the_design_effect_of_each_bucket_is_that_of_its_definition(seconds: int, gaps: bool) -> None:
    rows = random_seconds(seconds, seconds * 2 if gaps else seconds, gaps=gaps)

    effects = design_effects([sums_of(rows)])

    highest = max(index for _, counts in rows for index in counts)
    assert highest not in effects  # no sample lies above it
    assert len(effects) > 3
    for bucket, effect in effects.items():
        assert effect.value == pytest.approx(by_definition(rows, bucket))


def test_a_query_between_two_seconds_changes_nothing() -> None:
    rows = random_seconds(1, 50, gaps=True)
    asked = BatchSums()
    for start_s, counts in rows:
        asked.add(start_s, counts)
        design_effects([asked])

    assert design_effects([asked]) == design_effects([sums_of(rows)])


def test_copies_of_one_request_count_as_one() -> None:
    rnd = random.Random(4)
    effects = design_effects([sums_of([(second, {rnd.randrange(100): 7}) for second in range(400)])])

    assert effects[50].value == pytest.approx(7, rel=0.5)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(0, {})],
        [(0, {5: 1000})],
        [(0, {5: 900, 9: 100})],
        [(second, {5: 9, 9: 1}) for second in range(MIN_BATCHES - 1)],
        [(second, {5: 9}) for second in range(100)],
    ],
)
def test_without_enough_batches_or_a_spread_the_design_effect_is_unknown(rows: list[Second]) -> None:
    assert design_effects([sums_of(rows)]) == {}


def test_a_slot_that_is_wider_than_a_batch_is_one_batch() -> None:
    rows = [(start_s, {5: 90, 9: 10}) for start_s in range(0, 600, 60)]

    (level, *wider) = sums_of(rows).levels()

    assert [each.count for each in (level, *wider)] == [10, 10, 10, 10]
    assert design_effects([sums_of(rows)])[5].value == 1.0  # each batch has exactly its share


def test_slots_of_known_width_have_the_same_sums() -> None:
    rnd = random.Random(4)
    rows = [(start_s, {5: rnd.randrange(50, 90), 9: rnd.randrange(20)}) for start_s in range(0, 600, 10)]
    known = BatchSums()
    for start_s, counts in rows:
        known.add(start_s, counts, 10)
    for second in range(600, 660):
        known.add(second, {7: 3})

    assert known.levels() == sums_of([*rows, *((second, {7: 3}) for second in range(600, 660))]).levels()


def test_the_difference_between_stages_is_no_uncertainty() -> None:
    fast = [(second, {5: 10}) for second in range(100)]
    slow = [(second, {5: 1, 90: 9}) for second in range(100, 120)]

    apart, together = design_effects([sums_of(fast), sums_of(slow)]), design_effects([sums_of([*fast, *slow])])

    assert apart[5].value == 1.0
    assert together[5].value > 8


def test_a_design_effect_from_few_batches_counts_more() -> None:
    few, many = DesignEffect(4.0, 9), DesignEffect(4.0, 1000)

    assert few.effective(1000, 0.95) == pytest.approx(250 / (2.262 / 1.96) ** 2, rel=0.001)
    assert many.effective(1000, 0.95) == pytest.approx(250, rel=0.01)
    assert DesignEffect(1.0, 9).effective(1000, 0.95) == 1000


def sketch_of(latencies_ms: Sequence[float]) -> LatencySketch:
    sketch = LatencySketch()
    for latency_ms in latencies_ms:
        sketch.record(latency_ms)
    return sketch


@pytest.mark.parametrize("size", [1, 5, 20, 72, 400])
@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.95, 0.99])
def test_an_interval_of_independent_requests_is_unchanged(size: int, quantile: float) -> None:
    rnd = random.Random(size)
    sketch = sketch_of([rnd.lognormvariate(3, 0.5) for _ in range(size)])
    independent = dict.fromkeys(sketch.buckets, DesignEffect(1.0, 50))

    plain, found = (quantile_interval(sketch, quantile, effects=effects) for effects in (None, independent))

    assert plain is not None
    assert found is not None
    assert (found.low, found.high) == (plain.low, plain.high)
    assert (plain.design_effect, found.design_effect) == (None, 1.0)


def test_a_dependent_interval_contains_the_independent_one_and_can_have_no_bounds() -> None:
    rnd = random.Random(3)
    sketch = sketch_of([rnd.lognormvariate(3, 0.5) for _ in range(2000)])
    plain = quantile_interval(sketch, 0.95)
    wide = quantile_interval(sketch, 0.95, effects=dict.fromkeys(sketch.buckets, DesignEffect(10.0, 300)))
    none = quantile_interval(sketch, 0.95, effects=dict.fromkeys(sketch.buckets, DesignEffect(1999.0, 300)))

    assert plain is not None
    assert wide is not None
    assert none is not None
    assert (wide.low or 0) < (plain.low or 0) < (plain.high or 0) < (wide.high or 0)
    assert (none.low, none.high) == (None, None)


def test_a_share_with_a_design_effect_has_the_interval_of_fewer_requests() -> None:
    found, fewer = share_interval(100, 2000, effect=DesignEffect(10.0, 10**6)), share_interval(10, 200)

    assert found is not None
    assert fewer is not None
    assert (found.low, found.high) == (pytest.approx(fewer.low), pytest.approx(fewer.high))


@pytest.mark.parametrize("case", [Case(10, 0.95, 20, 120), Case(10, None, 20, 120)], ids=str)
def test_intervals_contain_the_truth_if_requests_meet_the_same_stalls(case: Case) -> None:
    found = coverage(case, repeats=60)

    assert found.covered >= 0.9
    assert found.covered_without <= 0.75
    assert 5 < found.design_effect < 20
