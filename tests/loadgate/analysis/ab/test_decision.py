"""The outcome of a rule by its interval and its p-value, how many pairs would decide, and the power."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean

import pytest

from loadgate.analysis.ab.decision import MOST_PAIRS, RuleTest, significance
from loadgate.analysis.ab.estimate import Estimate, Limits
from loadgate.analysis.ab.power import detectable, powers
from loadgate.analysis.ab.segments import Comparison, Margins, Measure, Pair
from loadgate.analysis.decision import RuleOutcome
from tests.loadgate.analysis.ab.made_segments import FAILURES, P50, P95, pairs, segment

TEST = RuleTest(Limits.of(P95, Margins(), 400.0), 0.048, 5)


def estimated(change: float, error: float | None, number: int = 20, measure: Measure = P95) -> Estimate:
    difference = change if measure is FAILURES else math.log1p(change)
    return Estimate(measure, 400.0, 400.0 * (1 + change), difference, error, number)


@pytest.mark.parametrize(
    ("number", "looks", "level"),
    [
        (10, (10, 20), 0.005),
        (20, (10, 20), 0.048),
        (25, (10, 20), 0.048),
        (13, (10, 20), 0.005),
        (3, (10, 20), 0.005),
        (10, (10,), 0.05),
        (9, (10,), 0.005),
    ],
)
def test_the_level_depends_on_the_look(number: int, looks: tuple[int, ...], level: float) -> None:
    assert significance(number, looks) == level


@pytest.mark.parametrize("looks", [(), (0,), (20, 10), (10, 10), (5, 10, 15)])
def test_other_looks_are_refused(looks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one or two looks"):
        significance(10, looks)


@pytest.mark.parametrize(
    ("change", "error", "p_value", "outcome"),
    [
        (0.12, 0.02, 0.002, RuleOutcome.FAIL),
        (0.12, 0.02, 0.2, RuleOutcome.INCONCLUSIVE),  # not significant
        (0.07, 0.02, 0.002, RuleOutcome.INCONCLUSIVE),  # it can be less than 5 % and more than 10 %
        (0.07, 0.005, 0.002, RuleOutcome.FAIL),  # surely more than 5 %, although surely less than 10 %
        (0.03, 0.005, 0.002, RuleOutcome.PASS),  # significant, but too small to matter
        (0.0, 0.02, 0.9, RuleOutcome.PASS),
        (0.0, 0.05, 0.9, RuleOutcome.INCONCLUSIVE),
        (0.12, None, 1.0, RuleOutcome.INCONCLUSIVE),
        (-0.3, 0.02, 0.002, RuleOutcome.PASS),  # an improvement
        (-0.3, 0.3, 0.002, RuleOutcome.INCONCLUSIVE),
    ],
)
def test_the_outcome_follows_from_the_interval_and_the_p_value(
    change: float, error: float | None, p_value: float, outcome: RuleOutcome
) -> None:
    assert TEST.outcome(estimated(change, error), p_value) is outcome


def test_failures_have_margins_of_their_own() -> None:
    test = RuleTest(Limits.of(FAILURES, Margins(), 0.002), 0.048, 1)
    assert test.outcome(estimated(0.004, 0.001, measure=FAILURES), 0.001) is RuleOutcome.FAIL
    assert test.outcome(estimated(0.0005, 0.0001, measure=FAILURES), 0.001) is RuleOutcome.PASS
    assert test.outcome(estimated(0.004, 0.002, measure=FAILURES), 0.06) is RuleOutcome.INCONCLUSIVE


@pytest.mark.parametrize(("change", "error"), [(0.0, 0.06), (0.08, 0.03), (0.04, 0.04), (0.15, 0.08)])
def test_the_number_of_further_pairs_is_the_smallest_that_decides(change: float, error: float) -> None:
    found = estimated(change, error)
    more = TEST.more_pairs(found)
    assert more is not None
    then, before = found.extended(20 + more), found.extended(19 + more)
    assert TEST.outcome(then, 0.0) is not RuleOutcome.INCONCLUSIVE
    assert not TEST.passes(before)
    assert before.difference < TEST.least(before)


def test_nothing_is_promised_beyond_the_largest_number_of_pairs() -> None:
    assert TEST.more_pairs(estimated(0.07, 0.5)) is None
    assert TEST.more_pairs(estimated(0.07, None)) is None


def test_a_detectable_change_is_found_with_a_probability_of_80_percent() -> None:
    error, rng = 0.015, Random(1)
    smallest = detectable(estimated(0.0, error), TEST)
    assert smallest is not None
    found = [smallest + rng.gauss(0, error) >= TEST.least(estimated(0.0, error)) for _ in range(4000)]
    assert fmean(found) == pytest.approx(0.8, abs=0.03)
    assert detectable(estimated(0.0, None), TEST) is None


def test_a_plan_tells_what_it_detects_and_how_many_pairs_detect_less() -> None:
    (power,) = powers(pairs(3, spread=0.03), Comparison((P95,), looks=(10, 20)))
    assert power.pairs == 20
    assert power.detectable is not None
    assert power.finer == pytest.approx(0.1 if power.detectable > 0.1 else math.sqrt(1.05 * 1.1) - 1)
    assert power.finer_pairs is not None
    assert 20 < power.finer_pairs <= MOST_PAIRS
    assert power.sentence.startswith("auth: p95: 20 pairs detect +")
    assert f"; +{100 * power.finer:.3g}" in power.sentence
    assert power.sentence.endswith(f" % needs {power.finer_pairs} pairs")


def test_more_pairs_detect_less() -> None:
    made = pairs(3)
    small, large = (powers(made, Comparison((P50,), looks=(looks,)))[0].detectable for looks in (10, 40))
    assert small is not None
    assert large is not None
    assert 0.05 < large < small


def test_a_plan_that_cannot_tell_says_why() -> None:
    one, empty = pairs(1), [Pair(segment(), segment([10.0] * 50))]
    assert powers(one, Comparison((P95,)))[0].sentence == (
        "auth: p95: the detectable change is unknown: at least two pairs with requests on both sides are needed"
    )
    assert powers(empty, Comparison((P95,)))[0].sentence.endswith("is unknown: base has no requests")


def test_a_plan_with_too_few_pairs_for_its_level_detects_nothing() -> None:
    # With 4 pairs, 8 flips are different, so the smallest p-value is 1/8.
    (few,) = powers(pairs(3), Comparison((P95,), looks=(2, 4)))
    assert few.detectable is None
    assert few.sentence == "auth: p95: no change is detectable, because 4 pairs are too few"
    (enough,) = powers(pairs(3), Comparison((P95,), looks=(3, 6)))
    assert enough.detectable is not None
    assert detectable(estimated(0.0, 0.01, 5), TEST) is None
    assert TEST.more_pairs(estimated(0.5, 0.01, 3)) == 3
