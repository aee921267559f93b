"""Test early aborts: only if the rule can no longer pass."""

import random

import pytest

from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.rules import EvaluationContext, RuleOutcome, RuleResult, abort_result, evaluate, parse_rules

START_S = 1_700_000_000
CONTEXT = EvaluationContext(load_s=(START_S, START_S + 10_000))


def fill(recorder: Recorder, seconds: range, latency_ms: float, failures: int = 0, count: int = 10) -> Recorder:
    for second in seconds:
        for part in range(count):
            recorder.record(
                FinishedRequest(
                    "ping",
                    Outcome.FAILURE if part < failures else Outcome.SUCCESS,
                    start_s=START_S + second + part / count,
                    latency_ms=latency_ms,
                    group="health",
                )
            )
    return recorder


def ask(line: str, recorder: Recorder, until: int = 10_000, context: EvaluationContext = CONTEXT) -> RuleResult | None:
    return abort_result(parse_rules([line]), recorder, context, complete_until_s=START_S + until)


@pytest.mark.parametrize(
    "line",
    [
        "health: p95 < 100ms abort",
        "health: p95 < 100ms over 10s abort",
        "health: max < 100ms abort",
        "health: min < 1ms over 10s abort",
        "health: mean < 100ms over 10s abort",
        "health: requests < 100 abort",
        "health: failures < 5 abort",
        "health: failures < 1% abort",
        "health: failures < 1% over 5s abort",
        "health: throughput < 5/s over 5s abort",
    ],
)
def test_a_rule_that_can_no_longer_pass_stops_the_run(line: str) -> None:
    recorder = fill(Recorder(), range(60), 150.0, failures=1)

    result = ask(line, recorder, until=59)

    assert result is not None
    assert result.outcome is RuleOutcome.FAIL
    assert result.reason.startswith("the run was stopped early: ")
    assert evaluate(parse_rules([line]), recorder).outcome is RuleOutcome.FAIL


@pytest.mark.parametrize("line", ["health: p95 < 100ms", "health: p95 < 100ms over 10s", "health: max < 1ms"])
def test_a_rule_without_abort_never_stops_it(line: str) -> None:
    assert ask(line, fill(Recorder(), range(60), 150.0)) is None


@pytest.mark.parametrize(
    "line",
    [
        "health: p95 < 200ms abort",
        "health: p95 < 200ms over 10s abort",
        "auth: p95 < 1ms abort",
        "health: failures < 1% abort",
    ],
)
def test_a_rule_that_holds_or_cannot_be_judged_does_not_stop_the_run(line: str) -> None:
    assert ask(line, fill(Recorder(), range(60), 150.0), until=60) is None


def test_random_variation_does_not_stop_a_run() -> None:
    # 1 failure of 30 is 3.3 %, but a true rate of 1 % is still plausible.
    recorder = fill(Recorder(), range(3), 20.0)
    recorder.record(FinishedRequest("ping", Outcome.FAILURE, start_s=START_S, latency_ms=1, group="health"))

    assert evaluate(parse_rules(["health: failures < 1%"]), recorder).outcome is RuleOutcome.FAIL
    assert ask("health: failures < 1% abort", recorder) is None


def test_a_percentile_near_its_limit_does_not_stop_a_run() -> None:
    rnd = random.Random(1)
    recorder = Recorder()
    for number in range(100):
        recorder.record(
            FinishedRequest("ping", Outcome.SUCCESS, start_s=START_S + number / 10, latency_ms=rnd.uniform(0, 107))
        )

    assert evaluate(parse_rules(["ping: p95 < 100ms"]), recorder).outcome is RuleOutcome.FAIL
    assert ask("ping: p95 < 100ms abort", recorder) is None


def test_incomplete_seconds_are_not_evaluated() -> None:
    recorder = fill(Recorder(), range(20), 20.0)
    fill(recorder, range(20, 25), 20.0, count=1)  # as if most workers had not reported yet

    assert ask("health: throughput >= 10/s over 5s abort", recorder, until=20) is None
    assert ask("health: throughput >= 10/s over 5s abort", recorder, until=25) is not None


def test_only_a_window_whose_seconds_are_all_complete_stops_a_run() -> None:
    recorder = fill(Recorder(), range(4), 20.0)
    fill(recorder, range(4, 6), 150.0)

    assert ask("health: p50 < 100ms over 4s abort", recorder, until=6) is None


def test_a_standstill_without_requests_stops_a_run() -> None:
    recorder = fill(Recorder(), range(20), 20.0)

    assert ask("health: throughput > 0.5/s over 10s abort", recorder, until=29) is None
    assert ask("health: throughput > 0.5/s over 10s abort", recorder, until=30) is not None
    assert ask("health: throughput > 0.5/s over 10s abort", recorder, until=600) is not None


def test_a_scope_that_has_not_started_is_not_at_a_standstill() -> None:
    assert ask("health: throughput > 1/s over 10s abort", Recorder(), until=600) is None


def test_a_latency_rule_does_not_stop_a_run_with_a_saturated_generator() -> None:
    recorder = fill(Recorder(), range(60), 150.0)

    assert ask("health: p95 < 100ms abort", recorder, context=EvaluationContext(saturated="CPU at 99 %")) is None


def test_a_slow_ramp_does_not_stop_a_run_that_is_judged_without_it() -> None:
    recorder = Recorder()
    for number in range(400):
        recorder.record(
            FinishedRequest(
                "ping",
                Outcome.SUCCESS,
                start_s=START_S + number / 10,
                latency_ms=500 if number < 100 else 20,
                group="health",
            ),
            "ramp" if number < 100 else "steady",
        )

    assert ask("health: p95 < 100ms over 10s abort", recorder, until=40) is None


def test_the_first_failed_rule_is_returned() -> None:
    recorder = fill(Recorder(), range(60), 150.0)
    rules = parse_rules(["health: max < 1s abort", "health: max < 100ms abort", "health: p95 < 1ms abort"])

    result = abort_result(rules, recorder, CONTEXT, complete_until_s=START_S + 60)

    assert result is not None
    assert result.rule == rules[1]
