"""The growth of a quantity: what a leak, a step, a warm-up and a constant look like."""

from __future__ import annotations

import math
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.growth.blocks import block_length_s, blocks
from loadgate.analysis.growth.growth import Growth, growth
from loadgate.analysis.growth.judgement import judge_growth, judge_lifetime
from loadgate.analysis.growth.lifetime import lifetime
from loadgate.analysis.growth.warm_up import Shape
from loadgate.recorder.resources import ResourceUnit

TIMES_S = [1_000_000.5 + second for second in range(1800)]


def grown(values: list[float], unit: ResourceUnit = ResourceUnit.BYTES) -> Growth:
    found = growth(TIMES_S[: len(values)], values, unit)
    assert found is not None
    return found


def noisy(level: list[float]) -> list[float]:
    rng = Random(1)
    return [value + rng.gauss(0, 2e5) for value in level]


def test_a_block_is_the_bottom_of_a_sawtooth() -> None:
    series = blocks(TIMES_S[:100], [100.0 + second % 10 for second in range(100)])
    assert series.values == (101.0,) * 10
    assert series.times_s[:2] == (1_000_005.5, 1_000_015.5)


@pytest.mark.parametrize(
    ("span_s", "length_s"), [(60, 10), (600, 10), (601, 30), (7200, 30), (7201, 60), (86_400, 360)]
)
def test_a_long_run_has_longer_blocks(span_s: float, length_s: float) -> None:
    assert block_length_s(span_s) == length_s


def test_a_block_that_is_cut_off_and_a_gap_are_left_out() -> None:
    kept = [second for second in range(204) if not 53 <= second < 90]
    series = blocks([float(second) for second in kept], [1.0] * len(kept))
    assert series.times_s == (*(5.0 + 10 * block for block in range(5)), *(95.0 + 10 * block for block in range(11)))


def test_rows_of_several_seconds_have_the_same_growth() -> None:
    found = growth([1000.0 + 4 * row for row in range(3600)], [1e8 + 4000.0 * row for row in range(3600)])
    assert found is not None
    assert found.per_s == pytest.approx(1000)


def test_a_leak_grows_at_its_rate() -> None:
    found = grown([100e6 + 2000.0 * second for second in range(1800)])
    assert found.per_s == pytest.approx(2000)
    assert found.increase == pytest.approx(2000 * found.span_s)
    assert found.end == pytest.approx(found.start + found.increase)
    assert judge_growth(found, 1000.0).outcome is RuleOutcome.FAIL
    assert judge_growth(found, 3000.0).outcome is RuleOutcome.PASS


def test_a_leak_across_a_gap_is_found() -> None:
    kept = [second for second in range(1800) if not 400 <= second < 1100]
    found = growth([float(second) for second in kept], noisy([1e8 + 5000.0 * second for second in kept]))
    assert found is not None
    assert found.low_per_s < 5000 < found.high_per_s
    assert judge_growth(found, 1000.0).outcome is RuleOutcome.FAIL


@pytest.mark.parametrize("at", [200, 900, 1500])
def test_a_step_is_not_a_leak(at: int) -> None:
    judged = judge_growth(grown([100e6 + (30e6 if second > at else 0) for second in range(1800)]), 0.0)
    assert judged.outcome is not RuleOutcome.FAIL


def test_a_step_is_named() -> None:
    judged = judge_growth(grown([100e6 + (30e6 if second > 900 else 0) for second in range(1800)]), 0.0)
    assert judged.reason == "one step of 30.0 MB is most of the growth"


def test_a_few_steps_are_no_leak() -> None:
    steps = (300, 620, 1000, 1300, 1600)
    judged = judge_growth(grown([100e6 + 10e6 * sum(second > at for at in steps) for second in range(1800)]), 0.0)
    assert judged.outcome is RuleOutcome.INCONCLUSIVE
    assert judged.reason == "a few steps of up to 10.0 MB are most of the growth"


def test_a_warm_up_is_separated_from_the_steady_state() -> None:
    found = grown(noisy([100e6 - 40e6 * math.exp(-second / 90) for second in range(1800)]))
    assert found.warm_up is not None
    assert found.warm_up.shape is Shape.EXPONENTIAL
    assert found.warm_up.time_s == pytest.approx(90, rel=0.1)
    assert judge_growth(found, 5e6 / 3600).outcome is RuleOutcome.PASS


def test_a_warm_up_that_is_not_done_is_named() -> None:
    judged = judge_growth(grown(noisy([100e6 - 40e6 * math.exp(-second / 900) for second in range(1800)])), 5e6 / 3600)
    assert (judged.outcome, judged.reason) == (RuleOutcome.INCONCLUSIVE, "the warm-up has not ended")


def test_a_cache_that_fills_is_separated_from_the_steady_state() -> None:
    found = grown(noisy([100e6 + 40e6 * min(1.0, second / 600) for second in range(1800)]))
    assert found.warm_up is not None
    assert found.warm_up.shape is Shape.LINEAR
    assert found.warm_up.time_s == pytest.approx(600, rel=0.1)
    assert found.warm_up.rise == pytest.approx(40e6, rel=0.1)
    assert judge_growth(found, 0.0).outcome is RuleOutcome.INCONCLUSIVE


def test_a_leak_after_a_warm_up_is_found() -> None:
    level = [100e6 - 40e6 * math.exp(-second / 60) + 10_000 * second for second in range(1800)]
    found = grown(noisy(level))
    assert found.warm_up is not None
    assert judge_growth(found, 5e6 / 3600).outcome is RuleOutcome.FAIL


def test_a_growth_that_stops_before_the_end_is_no_leak() -> None:
    judged = judge_growth(grown(noisy([100e6 + 20_000.0 * min(second, 1350) for second in range(1800)])), 0.0)
    assert judged.outcome is RuleOutcome.INCONCLUSIVE


def test_a_fall_holds_every_budget() -> None:
    judged = judge_growth(grown([100e6 - 5000.0 * second for second in range(1800)]), 0.0)
    assert judged.outcome is RuleOutcome.PASS


def test_a_small_growth_is_undecided() -> None:
    judged = judge_growth(grown([500e6 + 2000.0 * second for second in range(1800)]), 1000.0)
    assert judged.outcome is RuleOutcome.INCONCLUSIVE
    assert judged.reason == "a growth of 3.54 MB in the run is too small to be judged; the minimum is 5.00 MB"


def test_a_constant_count_grows_less_than_three_in_the_run() -> None:
    found = grown([12.0] * 1800, ResourceUnit.COUNT)
    assert found.high_per_s * found.span_s == pytest.approx(3)
    assert judge_growth(found, 10 / 3600).outcome is RuleOutcome.PASS
    assert judge_growth(found, 1 / 3600).outcome is RuleOutcome.INCONCLUSIVE


@pytest.mark.parametrize("each_s", [1, 20, 60])
def test_a_leak_of_threads_is_found(each_s: int) -> None:
    found = grown([12.0 + second // each_s for second in range(600)], ResourceUnit.COUNT)
    assert judge_growth(found, 10 / 3600).outcome is RuleOutcome.FAIL


def test_two_threads_more_are_no_leak() -> None:
    judged = judge_growth(grown([12.0 + 2 * (second > 700) for second in range(1800)], ResourceUnit.COUNT), 0.0)
    assert judged.outcome is RuleOutcome.INCONCLUSIVE


def test_a_limit_inside_the_interval_is_undecided() -> None:
    found = grown(noisy([100e6 + 10_000.0 * second for second in range(1800)]))
    assert judge_growth(found, 10_000.0).reason == "the limit lies inside the 95 % interval"


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 60])
def test_a_short_series_has_no_growth(values: list[float]) -> None:
    assert growth(TIMES_S[: len(values)], values) is None


def test_a_lifetime_follows_from_the_slope_and_its_bounds() -> None:
    found = grown(noisy([100e6 + 2000.0 * second for second in range(1800)]))
    lasts = lifetime(found, 512e6)
    assert lasts.seconds == pytest.approx((512e6 - found.end) / found.per_s)
    assert lasts.low_s < lasts.seconds < lasts.high_s
    assert judge_lifetime(found, 512e6, 7 * 86_400).outcome is RuleOutcome.FAIL
    assert judge_lifetime(found, 512e6, 3600).outcome is RuleOutcome.PASS


def test_a_quantity_without_growth_lasts_for_ever() -> None:
    lasts = lifetime(grown([100e6] * 1800), 512e6)
    assert (lasts.seconds, lasts.high_s) == (math.inf, math.inf)
    assert lasts.low_s < math.inf


def test_a_quantity_above_its_limit_has_no_time_left() -> None:
    found = grown([600e6] * 1800)
    assert lifetime(found, 512e6).seconds == 0
    judged = judge_lifetime(found, 512e6, 60)
    assert (judged.outcome, judged.reason) == (
        RuleOutcome.FAIL,
        "the value at the end was 600 MB, and the limit is 512 MB",
    )


def test_the_judgement_does_not_depend_on_the_scale_of_the_level() -> None:
    small = grown(noisy([1e8 + 3000.0 * second for second in range(1800)]))
    large = grown(noisy([1e9 + 3000.0 * second for second in range(1800)]))
    assert large.per_s == pytest.approx(small.per_s, rel=1e-6)
    assert large.interval.low == pytest.approx(small.interval.low, rel=1e-4)


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.floats(0, 1e13) | st.integers(0, 3), min_size=80, max_size=200),
    gaps=st.lists(st.sampled_from([1, 1, 1, 2, 40, 5000]), min_size=200, max_size=200),
    unit=st.sampled_from([ResourceUnit.BYTES, ResourceUnit.COUNT]),
)
def test_every_series_has_a_slope_inside_its_interval_and_an_outcome(
    values: list[float], gaps: list[int], unit: ResourceUnit
) -> None:
    times_s = [float(time_s) for time_s in accumulate(gaps[: len(values)])]
    found = growth(times_s, values, unit)
    if found is None:
        assert len(blocks(times_s, values)) < 8
        return
    assert found.low_per_s < found.per_s < found.high_per_s
    assert found.visible_per_s > 0
    assert judge_growth(found, 0.0).reason
    assert judge_growth(found, 1e15).outcome is RuleOutcome.PASS


@pytest.mark.parametrize("leak_mb_per_h", [0.0, 20.0])
@pytest.mark.parametrize("size_mb", [20, 300])
@pytest.mark.parametrize("time_constant_s", [31, 38, 45, 53, 69, 90])
def test_the_slope_does_not_make_up_for_the_time_of_a_quiet_warm_up(
    time_constant_s: int, size_mb: int, leak_mb_per_h: float
) -> None:
    warm_up = [60e6 - size_mb * 1e6 * math.expm1(-second / time_constant_s) for second in range(300)]
    pages = [level + leak_mb_per_h * 1e6 / 3600 * second for second, level in enumerate(warm_up)]
    found = grown([level - level % 4096 for level in pages])
    assert found.per_s * 3600 / 1e6 == pytest.approx(leak_mb_per_h, abs=1.5)
    assert judge_growth(found, 5e6 / 3600).outcome is not RuleOutcome.FAIL
    assert found.warm_up is not None
    assert found.warm_up.time_s == pytest.approx(time_constant_s, rel=0.01)


@pytest.mark.parametrize("full_s", [77, 103, 161])
def test_the_moment_at_which_a_quiet_cache_is_full_is_found(full_s: int) -> None:
    found = grown([60e6 + 200e6 * min(1.0, second / full_s) for second in range(300)])
    assert found.low_per_s <= 0 <= found.high_per_s
    assert judge_growth(found, 5e6 / 3600).outcome is not RuleOutcome.FAIL
