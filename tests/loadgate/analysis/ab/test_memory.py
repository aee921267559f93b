"""The growth of memory per request as what decides a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pytest

from loadgate.analysis.ab.judge import judge
from loadgate.analysis.ab.power import powers
from loadgate.analysis.ab.segments import Comparison, Measure, MeasureKind, Pair, Segment
from loadgate.analysis.decision import RuleOutcome
from tests.loadgate.analysis.ab.made_segments import P95, drawn, segment

API = Measure("api", MeasureKind.MEMORY)
COMPARISON = Comparison((API,), others=(P95,), looks=(10, 20))


def grown(memory: Mapping[str, float]) -> Segment:
    return Segment(segment(drawn(Random(1))).scopes, 50.0, 1.0, memory=memory)


def of_growth(number: int, more: float, spread: float = 60.0) -> list[Pair]:
    """Pairs whose head keeps `more` bytes per request. The growth differs by `spread` from segment to segment."""
    rng = Random(7)
    return [Pair(grown({"api": rng.gauss(500, spread)}), grown({"api": rng.gauss(500 + more, spread)}))
            for _ in range(number)]  # fmt: skip


def test_a_head_that_keeps_more_of_each_request_fails() -> None:
    result = judge(of_growth(10, 400), COMPARISON)
    assert result.outcome is RuleOutcome.FAIL
    (change,) = result.rules
    assert (change.base, change.head) == (pytest.approx(500, abs=60), pytest.approx(900, abs=60))
    assert change.change == pytest.approx(400, abs=80)
    assert change.p_value == 2 / 2**10
    assert change.reason == "more than 100 B higher"
    assert result.reason.startswith("api: memory grows by ")
    assert " B per request instead of " in result.reason
    assert [item.measure for item in result.others] == [P95]


@pytest.mark.parametrize("more", [-400, 0, 20])
def test_a_head_that_keeps_no_more_passes(more: float) -> None:
    result = judge(of_growth(10, more), COMPARISON)
    assert result.outcome is RuleOutcome.PASS
    assert result.reason.startswith("api: memory is within its margin: ")
    assert result.reason.endswith(" B, margin +200 B)")


def test_noise_is_inconclusive_and_says_how_many_pairs_would_decide() -> None:
    result = judge(of_growth(10, 0, spread=400), COMPARISON)
    assert result.outcome is RuleOutcome.INCONCLUSIVE
    assert not result.is_final
    assert result.rules[0].more_pairs is not None


def test_memory_that_was_not_always_measured_is_not_compared() -> None:
    pairs = [*of_growth(9, 400), Pair(grown({"api": 1.0}), grown({}))]
    (change,) = judge(pairs, COMPARISON).rules
    assert (change.outcome, change.change) == (RuleOutcome.INCONCLUSIVE, None)
    assert change.reason == "the memory of api was not measured in each segment"
    assert change.pairs[-1] is None


def test_a_plan_says_the_detectable_growth() -> None:
    (power,) = powers(of_growth(3, 0), COMPARISON)
    assert power.detectable is not None
    assert power.sentence.startswith("api: memory: 20 pairs detect +")
    assert power.sentence.split(";")[0].endswith(" B")
