"""Test that every rule with a confidence interval counts requests in the same stall as dependent."""

import pytest

from loadgate.analysis.confidence import share_interval
from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.rules import (
    EvaluationContext,
    RuleOutcome,
    RuleResult,
    abort_batches,
    abort_result,
    evaluate,
    parse_rules,
    recent_view,
)
from loadgate.rules.dependence import RunBatches
from loadgate.run.document import RuleRecord

START_S = 1_700_000_000
SECONDS = 120


def stalling(stalled_every_s: int = 10, *, seconds: int = SECONDS, stage: str = "steady") -> Recorder:
    """Return a run with 20 requests in each second. In every tenth second, all of them are slow or have failed."""
    recorder = Recorder()
    for second in range(seconds):
        stalled = second % stalled_every_s == 5
        for number in range(20):
            outcome = Outcome.FAILURE if stalled and number % 2 else Outcome.SUCCESS
            latency_ms = (100.0 if stalled else 10.0) + number
            start_s = START_S + second + number / 40
            recorder.record(FinishedRequest("page", outcome, start_s, latency_ms, group="web"), stage)
    return recorder


def spread() -> Recorder:
    """Return a run with as many slow and failed requests, spread evenly."""
    recorder = Recorder()
    for number in range(SECONDS * 20):
        outcome = Outcome.FAILURE if number % 20 == 0 else Outcome.SUCCESS
        latency_ms = (100.0 if number * 7 % 19 == 0 else 10.0) + number % 20
        recorder.record(FinishedRequest("page", outcome, START_S + number / 20, latency_ms, group="web"), "steady")
    return recorder


def judge(line: str, recorder: Recorder) -> RuleResult:
    (result,) = evaluate(parse_rules([line]), recorder).results
    return result


@pytest.mark.parametrize(
    "line", ["web: p95 < 50ms", "page: p95 < 50ms", "overall: failures < 1%", "web: p95 < 50ms in steady"]
)
def test_a_run_with_stalls_has_a_wider_interval_and_says_so(line: str) -> None:
    stalls, even = judge(line, stalling()), judge(line, spread())

    assert stalls.interval is not None
    assert even.interval is not None
    assert (stalls.interval.design_effect or 0) > 4
    assert (even.interval.design_effect or 0) < 2
    assert "; requests meet the same stalls, so 2," in stalls.reason
    assert stalls.reason.endswith(" independent ones")
    assert "stalls" not in even.reason
    assert RuleRecord.of(stalls).design_effect == stalls.interval.design_effect


def test_a_run_of_a_few_seconds_has_no_design_effect_and_no_key_for_it() -> None:
    short = judge("web: p95 < 50ms", stalling(seconds=9))

    assert short.interval is not None
    assert short.interval.design_effect is None
    assert "design_effect" not in RuleRecord.of(short).model_dump()


def test_the_worst_window_has_the_design_effect_of_its_own_seconds() -> None:
    long = judge("overall: failures < 1% over 30s", stalling())
    short = judge("overall: failures < 1% over 5s", stalling())

    assert long.interval is not None
    assert short.interval is not None
    assert (long.interval.design_effect or 0) > 4
    assert short.interval.design_effect is None


def test_a_rule_with_abort_waits_until_stalls_cannot_be_chance() -> None:
    rules = parse_rules(["overall: failures < 3% abort"])
    few, many = stalling(seconds=60), stalling(seconds=3000)
    independent = share_interval(few.totals().failures, few.totals().requests)

    assert judge("overall: failures < 3%", few).outcome is RuleOutcome.FAIL
    assert independent is not None
    assert not independent.contains(3.0)
    assert abort_result(rules, few, EvaluationContext(), complete_until_s=START_S + 60) is None
    assert abort_result(rules, many, EvaluationContext(), complete_until_s=START_S + 3000) is not None


def test_batches_that_follow_a_run_are_those_of_the_whole_run() -> None:
    recorder = stalling(seconds=300)
    rules = parse_rules(["web: p95 < 50ms abort", "overall: failures < 1% abort"])
    following = abort_batches(rules, recorder)
    for second in range(0, 301, 7):
        following.advance(START_S + second)
    following.advance(START_S + 300)

    for rule in rules:
        assert following.effects(rule, None) == RunBatches(recorder).effects(rule, None)
        assert following.effects(rule, None)


def test_batches_that_follow_a_run_read_only_its_new_seconds() -> None:
    recorder, since_s = stalling(seconds=200), []
    slots = recorder.time_slots
    recorder.time_slots = lambda scope, stages, since: since_s.append(since) or slots(scope, stages, since)  # type: ignore[assignment,method-assign]
    following = abort_batches(parse_rules(["web: p95 < 50ms abort"]), recorder)
    for second in range(150, 201):
        following.advance(START_S + second)

    assert since_s == [0, *range(START_S + 150, START_S + 200)]


def test_the_ramp_and_the_steady_part_are_strata() -> None:
    recorder = stalling(stalled_every_s=10**6, seconds=50, stage="ramp")
    for number in range(2000):
        slow = FinishedRequest("page", Outcome.SUCCESS, START_S + 50 + number / 40, 500.0 + number % 7, group="web")
        recorder.record(slow, "steady")
    (rule,) = parse_rules(["web: p50 < 50ms"])

    apart = RunBatches(recorder).effects(rule, None)

    assert all(effect.value < 1.5 for effect in apart.values())


def test_views_of_a_part_of_a_run_have_batches_too() -> None:
    recorder = stalling()
    (rule,) = parse_rules(["web: p95 < 50ms over 30s"])

    (result,) = evaluate([rule], recent_view(rule, recorder, START_S + SECONDS)).results

    assert result.interval is not None
    assert result.interval.design_effect is not None
