"""Comparisons of whole runs with known truths: p-values, spreads, and how often a null is called a change."""

from __future__ import annotations

import random
from itertools import combinations
from math import comb, log1p
from statistics import fmean, variance

import pytest

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.runs import Basis, RunValues, judge_runs
from loadgate.analysis.runs.permutation import EXACT_ASSIGNMENTS, assignments, least_p_value, statistics
from loadgate.analysis.runs.spread import from_both_sides, from_past_runs

IGNORE, WORSE = log1p(0.05), log1p(0.1)


def values(base: list[float], head: list[float], past: list[float] | None = None) -> RunValues:
    return RunValues(tuple(base), tuple(head), tuple(past or ()), IGNORE, WORSE)


def drawn(rnd: random.Random, runs: int, shift: float = 0.0, spread: float = 0.02) -> list[float]:
    return [5.0 + shift + rnd.gauss(0, spread) for _ in range(runs)]


def test_all_assignments_are_used_if_there_are_few() -> None:
    found = assignments(2, 3)
    assert found[0] == (2, 3, 4)
    assert sorted(found) == list(combinations(range(5), 3))
    assert comb(16, 8) <= EXACT_ASSIGNMENTS < comb(18, 9)
    many = assignments(9, 9)
    assert len(many) == 10_000
    assert many[0] == tuple(range(9, 18))
    assert many == assignments(9, 9)


def test_the_statistic_is_the_scaled_difference_of_the_means() -> None:
    row = statistics([1.0, 2.0, 4.0, 8.0], assignments(2, 2))
    assert row[0] / row[1] == pytest.approx(abs(6 - 1.5) / abs(1.5 - 6))
    assert fmean(value**2 for value in row) == pytest.approx(1)
    assert statistics([3.0] * 4, assignments(2, 2)) == [0.0] * 6


def test_the_p_value_is_the_share_of_assignments() -> None:
    (found,) = judge_runs([values([1.0, 1.1, 1.2, 1.3], [2.0, 2.1, 2.2, 2.3])])
    assert found.p_value == pytest.approx(2 / 70)
    assert found.p_value == pytest.approx(least_p_value(4, 4))
    (unequal,) = judge_runs([values([1.0, 1.1, 1.2], [2.0, 2.1, 2.2, 2.3])])
    assert unequal.p_value == pytest.approx(1 / 35)


def test_the_p_values_are_adjusted_for_all_rules() -> None:
    rnd = random.Random(1)
    shifted = values(drawn(rnd, 4), drawn(rnd, 4, 0.04))
    (alone,) = judge_runs([shifted])
    among, *_ = judge_runs([shifted, *(values(drawn(rnd, 4), drawn(rnd, 4)) for _ in range(20))])
    assert alone.p_value is not None
    assert among.p_value is not None
    assert among.p_value > alone.p_value


@pytest.mark.parametrize(
    ("shift", "outcome"),
    [
        (0.2, RuleOutcome.FAIL),
        (0.0, RuleOutcome.PASS),
        (-0.2, RuleOutcome.PASS),
    ],
)
@pytest.mark.parametrize("basis", [Basis.RUNS, Basis.PAST_RUNS])
def test_a_difference_is_judged_by_both_margins(shift: float, outcome: RuleOutcome, basis: Basis) -> None:
    found = []
    for seed in range(10):
        rnd = random.Random(seed)
        runs = 5 if basis is Basis.RUNS else 1
        past = drawn(rnd, 20, spread=0.01) if basis is Basis.PAST_RUNS else []
        spread = 0.015 if basis is Basis.RUNS else 0.005
        (judged,) = judge_runs([values(drawn(rnd, runs, 0, spread), drawn(rnd, runs, shift, spread), past)])
        assert judged.basis is basis
        found.append(judged.outcome)
    assert found.count(outcome) >= 8


def test_a_difference_between_the_margins_is_inconclusive() -> None:
    base = [1.0, 1.06, 0.94, 1.03, 0.97]
    (found,) = judge_runs([values(base, [one + log1p(0.07) for one in base])])
    assert found.outcome is RuleOutcome.INCONCLUSIVE
    assert found.low is not None
    assert found.low < IGNORE < WORSE < (found.high or 0.0)


def test_a_small_but_certain_difference_does_not_fail() -> None:
    base = [1.0, 1.001, 1.002, 1.003, 1.004]
    (found,) = judge_runs([values(base, [one + log1p(0.03) for one in base])])
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert found.outcome is RuleOutcome.PASS


@pytest.mark.parametrize(("base", "head"), [([1.0], [2.0]), ([1.0], [2.0, 2.1]), ([1.0, 1.1], []), ([], [])])
def test_without_enough_runs_nothing_is_judged(base: list[float], head: list[float]) -> None:
    (found,) = judge_runs([values(base, head, [1.0] * 7)])
    assert found.basis is Basis.NOTHING
    assert (found.low, found.high, found.p_value) == (None, None, None)
    assert found.outcome is RuleOutcome.INCONCLUSIVE
    assert (found.difference is None) == (not base or not head)


def test_three_runs_a_side_cannot_fail() -> None:
    assert least_p_value(3, 3) == pytest.approx(0.1)
    (found,) = judge_runs([values([1.0, 1.001, 1.002], [3.0, 3.001, 3.002])])
    assert found.outcome is RuleOutcome.INCONCLUSIVE


def test_nulls_rarely_fail() -> None:
    """A false alarm of any of five rules has a probability below 5 %, and the margin makes it rarer."""
    rnd = random.Random(3)
    for past in (0, 12):
        runs = 1 if past else 4
        fails = 0
        for _ in range(200):
            rules = [values(drawn(rnd, runs), drawn(rnd, runs), drawn(rnd, past)) for _ in range(5)]
            fails += any(one.outcome is RuleOutcome.FAIL for one in judge_runs(rules))
        assert fails <= 10


def test_the_spread_of_past_runs_ignores_a_change_between_them() -> None:
    rnd = random.Random(2)
    past = [*drawn(rnd, 300), *drawn(rnd, 300, 0.2)]
    error = from_past_runs(past, 1, 1)
    assert error.value == pytest.approx(0.02 * 2**0.5, rel=0.15)
    assert variance(past) ** 0.5 > 0.09
    assert from_past_runs(past[:8], 1, 1).degrees == 4
    assert from_past_runs(past, 4, 4).value == pytest.approx(error.value / 2)


def test_the_intervals_contain_the_truth() -> None:
    rnd = random.Random(5)
    for past in (0, 10):
        runs = 1 if past else 4
        inside = 0
        for _ in range(400):
            (found,) = judge_runs([values(drawn(rnd, runs), drawn(rnd, runs, 0.1), drawn(rnd, past))])
            assert found.low is not None
            assert found.high is not None
            inside += found.low <= 0.1 <= found.high
        assert inside >= 370


def test_constant_runs_have_no_error() -> None:
    error = from_both_sides([1.0, 1.0], [1.0, 1.0, 1.0])
    assert (error.value, error.degrees) == (0.0, 3)
    assert from_both_sides([1.0, 1.0], [1.0, 1.0 + 1e-170]).degrees >= 1


def test_runs_without_failures_do_not_make_a_single_failure_certain() -> None:
    none = (0.0,) * 12
    (certain,) = judge_runs([RunValues((0.0,), (0.002,), none, 0.001, 0.005)])
    assert certain.outcome is RuleOutcome.FAIL
    (uncertain,) = judge_runs([RunValues((0.0,), (0.002,), none, 0.001, 0.005, least_error=0.0014)])
    assert uncertain.outcome is RuleOutcome.INCONCLUSIVE
    assert uncertain.low is not None
    assert uncertain.low < 0 < (uncertain.high or 0.0)
