"""Test the proof of recovery times: how it judges a run."""

from __future__ import annotations

import math

import pytest

from benchmarks.calibrate.drains import DRAIN_CASES, DrainCase
from benchmarks.calibrate.recovery import Row, Trial

NULL, TAU_5, *_, NEVER = DRAIN_CASES


def trial(case: DrainCase, found_s: float | None, true_s: float | None, undecided: str = "") -> Trial:
    return Trial(case, found_s, true_s, window_s=5.0, undecided=undecided)


@pytest.mark.parametrize(
    ("one", "is_right"),
    [
        (trial(TAU_5, 15.0, 12.0), True),
        (trial(TAU_5, 7.0, 12.0), True),
        (trial(TAU_5, 18.0, 12.0), False),
        (trial(TAU_5, None, 12.0), False),
        (trial(TAU_5, None, None, "the generator was saturated"), False),
        (trial(NEVER, None, None), True),
        (trial(NEVER, 20.0, None), False),
        (trial(NULL, 0.0, 0.0), True),
        (trial(NULL, 2.0, 0.0), False),
    ],
)
def test_a_recovery_time_is_right_within_a_window_and_exactly_0_without_a_delay(one: Trial, is_right: bool) -> None:
    assert one.is_right is is_right


def test_a_case_holds_if_19_of_20_runs_are_right() -> None:
    right, wrong = trial(TAU_5, 12.0, 12.0), trial(TAU_5, 30.0, 12.0)
    assert Row(TAU_5, [right] * 19 + [wrong]).holds
    assert not Row(TAU_5, [right] * 18 + [wrong] * 2).holds
    assert "| 19 of 20 | 19 | 0 | 12 to 30 s | 12 s | 18.0 s |" in str(Row(TAU_5, [right] * 19 + [wrong]))


def test_an_undecided_run_is_shown_and_is_not_right() -> None:
    undecided = trial(TAU_5, None, None, "the band hides the delay")
    assert not Row(TAU_5, [undecided]).holds
    assert "| 0 of 1 | 1 | 1 |" in str(Row(TAU_5, [undecided]))


def test_the_stages_of_each_case_are_long_enough_for_its_drain() -> None:
    for case in DRAIN_CASES:
        assert case.profile.problems() == []
        if math.isfinite(case.tau_s):
            # The band tolerates at least 10 % of the base, to which the peak falls in 2.3 time constants.
            assert case.after_s > 2.3 * case.tau_s + 20
