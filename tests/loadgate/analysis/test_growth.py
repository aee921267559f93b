"""The growth of a quantity: what a leak, a step, a warm-up and a constant look like."""

from __future__ import annotations

import pytest

from loadgate.analysis.blocks import blocks
from loadgate.analysis.growth import growth
from loadgate.analysis.growth_judgement import GrowthOutcome, judge_growth
from loadgate.recorder.resources import ResourceUnit

TIMES_S = [1_000_000.5 + second for second in range(1800)]


def test_a_block_is_the_bottom_of_a_sawtooth() -> None:
    series = blocks(TIMES_S[:100], [100.0 + second % 10 for second in range(100)])
    assert series.values == (101.0,) * 10
    assert series.times_s[:2] == (1_000_005.5, 1_000_015.5)


def test_a_leak_grows_at_its_rate() -> None:
    found = growth(TIMES_S, [100e6 + 2000.0 * second for second in range(1800)])
    assert found is not None
    assert found.per_s == pytest.approx(2000)
    assert judge_growth(found, 1000.0).outcome is GrowthOutcome.GROWS
    assert judge_growth(found, 3000.0).outcome is GrowthOutcome.HOLDS


def test_a_step_is_not_a_leak() -> None:
    found = growth(TIMES_S, [100e6 + (30e6 if second > 900 else 0) for second in range(1800)])
    assert found is not None
    assert judge_growth(found, 0.0).reason == "one step of 30.0 MB is most of the growth"


def test_a_constant_number_grows_less_than_three_in_the_run() -> None:
    found = growth(TIMES_S, [12.0] * 1800, ResourceUnit.COUNT)
    assert found is not None
    assert found.high_per_s * found.span_s == pytest.approx(3)


def test_a_short_series_has_no_growth() -> None:
    assert growth(TIMES_S[:60], [1.0] * 60) is None
    assert growth([], []) is None
