"""Test the ratio of a percentile in two stages, and the rule that compares it."""

import random
import re

import pytest

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.recovery.stage_ratio import StageRatio, decide_ratio, stage_ratio
from loadgate.recorder import TimeSlot
from tests.loadgate.analysis.made_traffic import second_of

STAGES = ("after", "before")
REASON = r"p95 was [\d.]+ ms in after, [\d.]+ times \([\d.]+ to [\d.]+\) the [\d.]+ ms in before"


def slots(seed: int, seconds: int, median_ms: float = 100.0, requests: int = 50, failed: float = 0.0) -> list[TimeSlot]:
    rnd = random.Random(seed)
    return [
        TimeSlot(second, 1, second_of(rnd, requests, median_ms=median_ms, sigma=0.3, failed=failed))
        for second in range(seconds)
    ]


def ratio_of(seed: int, factor: float, seconds: int = 60) -> StageRatio:
    found = stage_ratio(slots(seed, seconds, 100 * factor), slots(1000 + seed, seconds), 0.95)
    assert isinstance(found, StageRatio)
    return found


def test_the_interval_contains_the_true_ratio() -> None:
    covered = [ratio_of(seed, 1.3, seconds=20).interval.contains(1.3) for seed in range(100)]
    assert 91 <= sum(covered) <= 100


@pytest.mark.parametrize(
    ("factor", "conclusion"), [(1.0, RuleOutcome.PASS), (1.1, RuleOutcome.INCONCLUSIVE), (1.25, RuleOutcome.FAIL)]
)
def test_a_rule_decides_by_the_whole_interval(factor: float, conclusion: RuleOutcome) -> None:
    decision = decide_ratio(ratio_of(1, factor), "p95", STAGES, 1.1, lambda value: value < 1.1)
    assert decision.outcome is conclusion
    assert decision.value == pytest.approx(factor, rel=0.05)
    assert re.match(REASON, decision.reason)


def test_equal_stages_never_fail() -> None:
    decisions = [
        decide_ratio(ratio_of(seed, 1.0, 10), "p95", STAGES, 1.1, lambda value: value < 1.1) for seed in range(100)
    ]
    assert RuleOutcome.FAIL not in {decision.outcome for decision in decisions}


def test_an_open_rule_says_how_long_the_stages_must_be() -> None:
    decision = decide_ratio(ratio_of(1, 1.08, 10), "p95", STAGES, 1.1, lambda value: value < 1.1)
    assert decision.outcome is RuleOutcome.INCONCLUSIVE
    assert "times as long would decide this" in decision.reason


def test_few_requests_have_no_bound_and_leave_the_rule_open() -> None:
    found = stage_ratio(slots(1, 1, requests=30), slots(2, 60), 0.95)
    decision = decide_ratio(found, "p95", STAGES, 1.1, lambda value: value < 1.1)
    assert decision.interval is not None
    assert decision.interval.high is None
    assert decision.outcome is RuleOutcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("part", "base", "reason"),
    [
        (slots(1, 1, requests=5), slots(2, 60), "5 successful requests are too few; at least 20 are needed"),
        (slots(1, 60), [], "0 successful requests in the other stage are too few; at least 20 are needed"),
        (slots(1, 60, failed=1.0), slots(2, 60), "0 successful requests are too few; at least 20 are needed"),
    ],
)
def test_stages_without_a_percentile_leave_the_rule_open(
    part: list[TimeSlot], base: list[TimeSlot], reason: str
) -> None:
    decision = decide_ratio(stage_ratio(part, base, 0.95), "p95", STAGES, 1.1, lambda value: value < 1.1)
    assert (decision.outcome, decision.reason) == (RuleOutcome.INCONCLUSIVE, reason)
