"""What makes a comparison inconclusive although its rules have outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from loadgate.analysis.ab.guards import guards
from loadgate.analysis.ab.result import Guard
from loadgate.analysis.ab.segments import Pair
from tests.loadgate.analysis.ab.made_segments import segment


def controlled(moves: Sequence[float | None]) -> Guard:
    """Return the guard of the control, which moves by these factors from base to head."""
    made = [Pair(segment(control_ms=0.4), segment(control_ms=None if move is None else 0.4 * move)) for move in moves]
    control, _, _ = guards(made, 10)
    return control


def test_a_control_that_moves_in_each_pair_breaks_the_guard() -> None:
    guard = controlled([1.03 + 0.001 * pair for pair in range(11)])
    assert guard.is_broken
    assert guard.value == pytest.approx(0.035)
    start = "The control server of the load gate, which is the same for both sides, was 3.50 % slower beside head"
    assert guard.sentence == f"{start}, so the machine was not equally fast for both."
    assert controlled([0.9] * 10).is_broken


@pytest.mark.parametrize(
    "moves",
    [
        [1.015] * 10,  # too little
        [1.03] * 7,  # too few pairs to be sure
        [1.0] * 8 + [5.0, 3.0],  # two disturbed pairs
        [1.2] * 6 + [0.8] * 4,  # noise
        [1.2] * 9 + [0.99],  # 9 of 10 are not significant at 99 %
    ],
)
def test_a_control_does_not_break_the_guard_by_chance(moves: list[float]) -> None:
    assert not controlled(moves).is_broken


def test_noise_of_the_control_rarely_breaks_the_guard() -> None:
    rng = Random(4)
    broken = sum(controlled([rng.lognormvariate(0, 0.2) for _ in range(20)]).is_broken for _ in range(500))
    assert broken <= 10


def test_a_control_that_was_not_measured_is_named() -> None:
    guard = controlled([None] * 10)
    assert (guard.value, guard.is_broken) == (None, True)
    assert guard.sentence.endswith(" was not measured, so it is unknown whether the machine was equally fast for both.")
    assert not controlled([1.1] * 6 + [None] * 4).is_broken


@pytest.mark.parametrize(("head_per_s", "is_broken"), [(49.6, False), (49.4, True), (50.6, True)])
def test_different_rates_break_the_guard(head_per_s: float, is_broken: bool) -> None:
    _, rate, _ = guards([Pair(segment(), segment(rate_per_s=head_per_s))] * 10, 10)
    assert rate.is_broken is is_broken
    assert rate.value == pytest.approx(head_per_s / 50 - 1)
    assert rate.sentence.endswith("at most 1 % is allowed." if is_broken else f"{abs(head_per_s / 0.5 - 100):.3f} %.")


def test_a_few_pairs_are_left_out_without_a_broken_guard() -> None:
    slow, good = segment(problem="the generator was saturated"), segment()
    *_, found = guards([Pair(good, good)] * 10 + [Pair(good, slow), Pair(slow, good)], 10)
    assert not found.is_broken
    assert (found.value, found.limit) == (0.2, 0.2)
    assert found.sentence == "2 of 12 pairs cannot be compared: pair 11, head: the generator was saturated; 1 more."
    *_, found = guards([Pair(good, good)] * 10 + [Pair(good, slow)] * 3, 10)
    assert (found.is_broken, found.value, found.limit) == (True, 0.3, 0.2)
    assert found.sentence.endswith("; 2 more; at most 2 may be left out.")


@pytest.mark.parametrize("faults", [1, 5])
def test_faults_of_a_target_break_the_guard_until_they_are_certainly_those_of_head(faults: int) -> None:
    ended, good = segment(problem="the target ended", is_fault=True), segment()
    found = guards([Pair(good, ended)] * faults + [Pair(good, good)] * 10, 10)[2]
    assert (found.is_broken, found.value, found.limit) == (True, faults / 10, 0.0)
    assert not guards([Pair(good, ended)] * 6 + [Pair(good, good)] * 10, 10)[2].is_broken
    assert guards([Pair(ended, good)] * 6, 10)[2].is_broken
    assert guards([Pair(good, ended)] * 6 + [Pair(ended, ended)], 10)[2].is_broken


def test_pairs_that_cannot_be_compared_are_named() -> None:
    slow, good = segment(problem="the generator was saturated"), segment()
    *_, found = guards([Pair(good, good), Pair(good, slow), Pair(slow, good)], 3)
    assert found.is_broken
    assert (found.value, found.limit) == (0.667, 0.333)
    assert found.sentence == (
        "2 of 3 pairs cannot be compared: pair 2, head: the generator was saturated; 1 more; at most 1 may be left out."
    )
    *_, found = guards([Pair(good, good)] * 3, 3)
    assert (found.is_broken, found.sentence) == (False, "All 3 pairs can be compared.")


def test_a_pair_with_a_problem_does_not_count_for_the_other_guards() -> None:
    stopped = segment(rate_per_s=5.0, control_ms=9.0, problem="the target stopped", is_fault=True)
    good = segment(control_ms=0.4)
    control, rate, segments = guards([Pair(good, good)] * 8 + [Pair(good, stopped)], 8)
    assert (control.value, rate.value, segments.is_broken) == (0.0, 0.0, True)


def test_without_pairs_no_guard_is_broken() -> None:
    assert not any(guard.is_broken for guard in guards([], 10))
