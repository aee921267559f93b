"""A reduced form of the simulation of comparisons: `python -m benchmarks.calibrate.ab_simulated`."""

from __future__ import annotations

import pytest

from benchmarks.calibrate.ab_segments import BASE, INJECTIONS, Version, slower
from benchmarks.calibrate.ab_simulated import (
    FAST_LARGE,
    FAST_SMALL,
    HOG_FROM,
    SMALL_PERCENT,
    Case,
    Simulation,
    false_alarms,
    outcomes,
    power,
    simulate,
)
from loadgate.analysis.decision import RuleOutcome

FEW = 4


def simulated(case: Case, number: int = FEW) -> Simulation:
    return Simulation(case, [simulate(case, seed) for seed in range(number)])


@pytest.mark.parametrize("case", [Case(BASE), Case(BASE, HOG_FROM)], ids=str)
def test_equal_versions_pass(case: Case) -> None:
    found = simulated(case)
    assert found.share(RuleOutcome.FAIL) == 0
    assert found.share(RuleOutcome.PASS) > 0.5
    row, faults = outcomes(found)
    assert row.startswith(f"| {case} | {FEW} | ")
    assert faults == []
    assert false_alarms(found)[1] == []


@pytest.mark.parametrize("head", INJECTIONS, ids=lambda head: head.name)
def test_an_injected_difference_is_found(head: Version) -> None:
    found = simulated(Case(head), 2)
    assert found.share(RuleOutcome.FAIL) == 1
    assert outcomes(found)[1] == []
    assert power(found).startswith(f"| {head.name} | 2 | 100.0 % |")


def test_a_change_that_does_not_matter_does_not_fail() -> None:
    found = simulated(Case(slower(SMALL_PERCENT)), 3)
    assert found.share(RuleOutcome.FAIL) == 0
    assert outcomes(found)[1] == []


def test_a_change_of_a_fast_route_fails_only_above_the_absolute_margin() -> None:
    small, large = simulated(Case(FAST_SMALL), 3), simulated(Case(FAST_LARGE), 2)
    assert small.share(RuleOutcome.PASS) == 1
    assert all(look.rules[0].change > 0.1 for one in small.comparisons for look in one.looks)
    assert large.share(RuleOutcome.FAIL) == 1
    assert outcomes(small)[1] == outcomes(large)[1] == []
    assert outcomes(Simulation(Case(FAST_LARGE), small.comparisons))[1] != []
    assert outcomes(Simulation(Case(FAST_SMALL), large.comparisons))[1] != []


def test_a_share_beyond_its_limit_is_named() -> None:
    found = simulated(Case(slower(10)), 2)
    as_null = Simulation(Case(BASE), found.comparisons)
    assert outcomes(as_null)[1] == ["no change: 100.0% fail", "no change: 0.0% pass"]
    assert false_alarms(as_null)[1] == ["no change: 100.0% false alarms"]
