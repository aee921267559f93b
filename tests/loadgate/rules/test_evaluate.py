"""Test the outcomes of rules (passed, failed, inconclusive) and their reasons."""

from collections.abc import Sequence

import pytest

from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.rules import EvaluationContext, RuleOutcome, RuleResult, evaluate, from_thresholds, parse_rules

START_S = 1_700_000_000
PASS, FAIL, INCONCLUSIVE = RuleOutcome.PASS, RuleOutcome.FAIL, RuleOutcome.INCONCLUSIVE


def run(
    latencies_ms: Sequence[float],
    *,
    group: str = "health",
    failures: int = 0,
    failure_ms: float = 1.0,
    stage: str = "steady",
    per_second: int = 10,
    recorder: Recorder | None = None,
    start_s: float = START_S,
) -> Recorder:
    """Return a run with these successes spread over time, and with fast failures."""
    recorder = recorder or Recorder()
    for number, latency_ms in enumerate(latencies_ms):
        recorder.record(
            FinishedRequest(
                "ping", Outcome.SUCCESS, start_s=start_s + number / per_second, latency_ms=latency_ms, group=group
            ),
            stage,
        )
    for _ in range(failures):
        recorder.record(
            FinishedRequest("ping", Outcome.FAILURE, start_s=start_s, latency_ms=failure_ms, group=group), stage
        )
    return recorder


def judge(line: str, recorder: Recorder, context: EvaluationContext | None = None) -> RuleResult:
    (result,) = evaluate(parse_rules([line]), recorder, context).results
    assert "\n" not in result.reason
    return result


@pytest.mark.parametrize(
    ("line", "outcome", "value"),
    [
        ("health: p95 < 100ms", FAIL, 104.0),
        ("health: p95 < 105ms", PASS, 104.0),
        ("health: p95 < 104ms", FAIL, 104.0),
        ("health: p95 <= 104ms", PASS, 104.0),
        ("health: p95 > 104ms", FAIL, 104.0),
        ("health: p95 >= 104ms", PASS, 104.0),
        ("overall: p50 < 0.2s", PASS, 104.0),
        ("ping: max < 104.5ms", PASS, 104.0),
        ("ping: min > 104ms", FAIL, 104.0),
        ("ping: mean < 104ms", FAIL, 104.0),
        ("ping: requests > 100", PASS, 200.0),
        ("ping: requests > 200", FAIL, 200.0),
        ("ping: failures < 1%", FAIL, 1.0),
        ("ping: failures <= 1%", PASS, 1.0),
        ("ping: failures <= 2", PASS, 2.0),
        ("ping: failures < 2", FAIL, 2.0),
        ("ping: throughput >= 10/s", PASS, 10.0),
        ("ping: throughput > 10/s", FAIL, 10.0),
    ],
)
def test_each_metric_is_compared_as_written(line: str, outcome: RuleOutcome, value: float) -> None:
    recorder = run([104.0] * 198, failures=2)

    result = judge(line, recorder, EvaluationContext(load_s=(START_S, START_S + 20)))

    assert (result.outcome, result.value) == (outcome, pytest.approx(value))


def test_fast_failures_do_not_improve_a_percentile() -> None:
    recorder = run([150.0] * 100, failures=900, failure_ms=1.0)

    result = judge("health: p95 < 100ms", recorder)

    assert (result.outcome, result.value, result.samples) == (FAIL, 150.0, 100)


def test_a_result_contains_value_limit_and_margin() -> None:
    result = judge("health: p95 < 100ms", run([104.0] * 100))

    assert result.reason == "p95 was 104 ms, above the limit of 100 ms"
    assert result.margin == pytest.approx(-0.04)
    assert judge("health: p95 < 0.2s", run([104.0] * 100)).margin == pytest.approx(0.48)
    assert judge("health: requests > 50", run([104.0] * 100)).margin == pytest.approx(1.0)
    assert judge("health: failures <= 0", run([104.0] * 100)).margin is None
    assert judge("health: requests > 500", run([1.0] * 100)).reason == "requests were 100, below the limit of 500"
    assert judge("health: requests > 100", run([1.0] * 100)).reason == "requests were 100, which is not > 100"
    assert judge("health: p95 < 2s", run([1104.0] * 100)).reason == "p95 was 1,104 ms, limit < 2,000 ms"


def test_a_reason_shows_on_which_side_of_its_limit_a_value_is() -> None:
    assert judge("health: p95 < 100ms", run([99.96] * 100)).reason == "p95 was 99.96 ms, limit < 100 ms"
    assert judge("health: failures <= 33%", run([1.0] * 69, failures=34)).reason.startswith(
        "failures were 33.01 %, above the limit of 33 %"
    )


@pytest.mark.parametrize(("samples", "outcome"), [(1, INCONCLUSIVE), (19, INCONCLUSIVE), (20, PASS), (500, PASS)])
def test_a_percentile_with_too_few_samples_is_inconclusive(samples: int, outcome: RuleOutcome) -> None:
    result = judge("health: p95 < 100ms", run([10.0] * samples))

    assert (result.outcome, result.samples) == (outcome, samples)
    if outcome is INCONCLUSIVE:
        assert result.value is None
        assert f"needs at least 20 successful requests, not {samples}" in result.reason


@pytest.mark.parametrize(
    ("line", "requests", "outcome"),
    [
        ("health: failures < 1%", 3, INCONCLUSIVE),
        ("health: failures < 1%", 99, INCONCLUSIVE),
        ("health: failures < 1%", 100, PASS),
        ("health: failures <= 0.1%", 999, INCONCLUSIVE),
        ("health: failures <= 0.1%", 1000, PASS),
        ("health: failures < 50%", 2, PASS),
        ("health: failures <= 0%", 1, PASS),
        ("health: failures <= 0", 1, PASS),
        ("health: failures >= 0%", 1, PASS),
        ("health: failures < 1% over 2s", 99, INCONCLUSIVE),
        ("health: failures < 10% over 2s", 99, PASS),
    ],
)
def test_a_few_requests_without_a_failure_are_inconclusive(line: str, requests: int, outcome: RuleOutcome) -> None:
    result = judge(line, run([10.0] * requests))

    assert result.outcome is outcome
    if outcome is INCONCLUSIVE and "over" not in line:
        assert result.reason.endswith(f"requests and there were {requests}")
        assert (result.value, result.samples) == (None, requests)


def test_a_failure_among_a_few_requests_breaks_the_limit() -> None:
    assert judge("health: failures < 1%", run([10.0] * 18, failures=1)).outcome is FAIL


def test_a_limit_inside_the_confidence_interval_is_stated() -> None:
    latencies = [50.0 + number * 73 % 200 / 4 for number in range(200)]  # p95 is 97.25 ms

    close = judge("health: p95 < 98ms", run(latencies))
    clear = judge("health: p95 < 150ms", run(latencies))

    assert (close.outcome, clear.outcome) == (PASS, PASS)
    assert "the 95 % confidence interval (" in close.reason
    assert ") includes the limit, so another run may differ" in close.reason
    assert "confidence" not in clear.reason
    assert clear.interval is not None
    assert clear.interval.low is not None
    assert clear.interval.high is not None
    assert clear.interval.low < 97.25 < clear.interval.high


def test_a_missing_upper_bound_is_stated() -> None:
    result = judge("health: p95 < 100ms", run([10.0 + n for n in range(30)]))

    assert result.outcome is PASS
    assert "too few requests for a 95 % confidence interval" in result.reason


def test_a_group_without_requests_is_inconclusive_and_recorded_groups_are_named() -> None:
    result = judge("healht: p95 < 100ms", run([10.0] * 100))

    assert result.outcome is INCONCLUSIVE
    assert result.reason == "no request of 'healht' was recorded; recorded groups: health; recorded names: ping"
    assert judge("tasks: requests > 5", run([10.0] * 100)).outcome is INCONCLUSIVE


def test_a_group_whose_requests_all_failed_has_no_latency() -> None:
    result = judge("health: p95 < 100ms", run([], failures=50))

    assert result.outcome is INCONCLUSIVE
    assert "all 50 requests failed" in result.reason


def test_a_saturated_generator_makes_only_latency_rules_inconclusive() -> None:
    recorder = run([10.0] * 100, failures=10)
    context = EvaluationContext(saturated="its CPU was at 98 %")

    fast, slow = judge("health: p95 < 100ms", recorder, context), judge("health: p95 < 1ms", recorder, context)

    assert (fast.outcome, slow.outcome) == (INCONCLUSIVE, INCONCLUSIVE)
    assert "its CPU was at 98 %" in fast.reason
    assert fast.value == 10.0
    assert judge("health: failures < 1%", recorder, context).outcome is FAIL


class TestRamp:
    """Latency rules exclude the ramp if enough samples remain."""

    def test_the_ramp_is_excluded(self) -> None:
        recorder = run([90.0] * 50, stage="ramp")
        run([20.0] * 100, recorder=recorder, start_s=START_S + 5)

        result = judge("health: p95 < 100ms", recorder)

        assert (result.outcome, result.value, result.samples, result.stages) == (PASS, 20.0, 100, "steady")
        assert result.value_all_stages == pytest.approx(90.0, rel=0.005)
        assert "ramp" not in result.reason

    def test_a_limit_that_holds_only_without_the_ramp_is_not_a_pass(self) -> None:
        recorder = run([512.0] * 50, stage="ramp")
        run([20.0] * 100, recorder=recorder, start_s=START_S + 5)

        result = judge("health: p95 < 100ms", recorder)

        assert (result.outcome, result.value, result.stages) == (INCONCLUSIVE, 20.0, "steady")
        assert result.reason == (
            "p95 was 20.0 ms without the ramp, but breaks the limit with the ramp; add a rule for the ramp, "
            "such as 'health: p95 < 100ms in ramp'"
        )

    @pytest.mark.parametrize(("limit", "outcome"), [("400ms", FAIL), ("600ms", PASS)])
    def test_a_rule_for_the_ramp_reads_only_the_ramp(self, limit: str, outcome: RuleOutcome) -> None:
        recorder = run([512.0] * 50, stage="ramp")
        run([20.0] * 100, recorder=recorder, start_s=START_S + 5)
        rules = parse_rules(["health: p95 < 100ms", f"health: p95 < {limit} in ramp"])

        steady, ramp = evaluate(rules, recorder).results

        assert (steady.outcome, steady.value, "ramp" in steady.reason) == (PASS, 20.0, False)
        assert (ramp.outcome, ramp.value, ramp.samples, ramp.stages) == (
            outcome,
            pytest.approx(512, rel=0.005),
            50,
            "all",
        )

    def test_a_short_slow_ramp_in_a_long_run_is_stated(self) -> None:
        recorder = run([1500.0] * 40, stage="ramp")
        run([20.0] * 1000, recorder=recorder, start_s=START_S + 5)

        result = judge("health: p95 < 100ms", recorder)

        assert result.outcome is PASS
        assert result.reason.endswith("; during the ramp it was 1,500 ms (40 requests)")

    def test_failed_windows_within_the_ramp_are_stated(self) -> None:
        recorder = run([512.0] * 50, stage="ramp")
        run([20.0] * 100, recorder=recorder, start_s=START_S + 5)

        result = judge("health: p95 < 100ms over 3s", recorder)

        assert result.outcome is PASS
        assert "during the ramp it was 51" in result.reason

    def test_the_ramp_counts_if_too_few_requests_remain(self) -> None:
        recorder = run([20.0] * 50, stage="ramp")
        run([500.0] * 19, recorder=recorder, start_s=START_S + 5)

        result = judge("health: p95 < 100ms", recorder)

        assert (result.outcome, result.samples, result.stages) == (FAIL, 69, "all")

    def test_the_ramp_counts_for_failures(self) -> None:
        recorder = run([20.0] * 50, failures=5, stage="ramp")
        run([20.0] * 50, recorder=recorder, start_s=START_S + 5)

        assert judge("health: failures < 1%", recorder).outcome is FAIL

    @pytest.mark.parametrize(
        ("line", "outcome", "value"),
        [
            ("health: p95 < 100ms in spike", FAIL, 300.0),
            ("health: p95 < 100ms over 2s in spike", FAIL, 300.0),
            ("health: p95 < 100ms in base", PASS, 20.0),
            ("health: failures < 5% in spike", PASS, 0.0),
            ("health: failures < 5% in base", FAIL, 100 / 11),
            ("health: requests >= 50 in base", PASS, 55.0),
            ("health: requests > 50 in spike", FAIL, 50.0),
            ("health: p95 < 100ms in after", INCONCLUSIVE, None),
        ],
    )
    def test_a_rule_can_read_one_stage(self, line: str, outcome: RuleOutcome, value: float | None) -> None:
        recorder = run([20.0] * 50, failures=5, stage="base")
        run([300.0] * 50, recorder=recorder, stage="spike", start_s=START_S + 5)

        result = judge(line, recorder)

        assert (result.outcome, result.value) == (outcome, pytest.approx(value, rel=0.005) if value else value)
        if value is None:
            assert result.reason == (
                "no request of 'health' was recorded in the stage 'after'; stages with requests: base, spike"
            )

    def test_named_stages_are_steady(self) -> None:
        recorder = run([20.0] * 50, stage="base")
        run([30.0] * 50, recorder=recorder, stage="spike", start_s=START_S + 5)

        assert judge("health: max < 1s", recorder).samples == 100


def test_throughput_counts_requests_that_were_sent_during_the_load() -> None:
    recorder = run([20.0] * 200, stage="outside", per_second=100)
    run([20.0] * 60, recorder=recorder, start_s=START_S + 3)
    context = EvaluationContext(load_s=(START_S + 3, START_S + 9))

    assert judge("health: throughput <= 10/s", recorder, context).value == 10.0
    assert judge("health: throughput > 5/s over 2s", recorder, context).outcome is PASS
    assert judge("health: requests > 0", recorder, context).value == 260
    assert judge("health: p95 < 1s", recorder, context).samples == 60


class TestBeforeTheLoad:
    """Requests that users send when they start, before the first arrival, are no load."""

    def test_their_latencies_are_not_judged(self) -> None:
        recorder = run([900.0] * 200, stage="outside", per_second=100)
        run([20.0] * 100, recorder=recorder, start_s=START_S + 3)

        result = judge("health: p95 < 100ms", recorder)
        assert (result.outcome, result.samples, result.value_all_stages) == (PASS, 100, result.value)

    def test_a_rule_on_them_alone_proves_nothing(self) -> None:
        recorder = run([20.0] * 200, stage="outside", per_second=100)

        result = judge("health: p95 < 100ms", recorder)
        assert (result.outcome, result.value) == (INCONCLUSIVE, None)
        assert result.reason.startswith("no request of 'health' was sent under load")

    def test_their_failures_count(self) -> None:
        recorder = run([20.0] * 100, stage="outside", per_second=100, failures=50)
        run([20.0] * 100, recorder=recorder, start_s=START_S + 3)

        assert judge("health: failures < 1%", recorder).outcome is FAIL


class TestVerdict:
    """From results to the overall outcome."""

    @pytest.mark.parametrize(
        ("lines", "outcome", "reason"),
        [
            (["health: p95 < 100ms"], PASS, "the rule held"),
            (["health: p95 < 100ms", "health: max < 1s"], PASS, "all 2 rules held"),
            (["health: p95 < 100ms", "auth: max < 1s"], INCONCLUSIVE, "1 of 2 rules inconclusive"),
            (["health: p95 < 1ms", "auth: max < 1s"], FAIL, "health p95 10.0 ms (limit 1 ms)"),
            (["health: p95 < 10ms"], FAIL, "health p95 10.0 ms (limit < 10 ms)"),
            (["health: throughput >= 50/s"], FAIL, "health throughput 10.0/s (limit >= 50/s)"),
            (
                ["health: p95 < 8ms over 5s in steady", "health: p50 < 4ms"],
                FAIL,
                "health p50 10.0 ms (limit 4 ms) and health p95 over 5 s in steady 10.0 ms (limit 8 ms)",
            ),
            (
                ["health: p95 < 9ms", "health: p50 < 4ms", "health: max < 1ms", "health: mean < 8ms"],
                FAIL,
                "health max 10.0 ms (limit 1 ms), health p50 10.0 ms (limit 4 ms) and 2 more rules",
            ),
            ([], INCONCLUSIVE, "the run has no rules"),
        ],
    )
    def test_fail_precedes_inconclusive_and_inconclusive_precedes_pass(
        self, lines: list[str], outcome: RuleOutcome, reason: str
    ) -> None:
        verdict = evaluate(parse_rules(lines), run([10.0] * 100))

        assert (verdict.outcome, verdict.reason) == (outcome, reason)
        assert [str(result.rule) for result in verdict.results] == [str(rule) for rule in parse_rules(lines)]

    @pytest.mark.parametrize("lines", [[], ["overall: failures < 1%"], ["overall: requests < 5"]])
    def test_a_run_without_a_request_never_passes(self, lines: list[str]) -> None:
        verdict = evaluate(parse_rules(lines), Recorder())

        assert (verdict.outcome, verdict.reason) == (INCONCLUSIVE, "no request was recorded")
        assert all(result.outcome is INCONCLUSIVE for result in verdict.results)

    def test_typical_thresholds_on_a_small_run(self) -> None:
        recorder = run([8.0] * 150)
        run([120.0] * 200, group="auth", recorder=recorder)
        run([15.0] * 25, group="tasks", recorder=recorder, per_second=1)
        rules = from_thresholds(
            {"health_p95_ms": 100, "auth_p95_ms": 500, "tasks_p95_ms": 200, "overall_failure_rate": 0.01}
        )

        verdict = evaluate(rules, recorder)

        assert verdict.outcome is PASS
        assert [result.value for result in verdict.results] == [8.0, 120.0, 15.0, 0.0]
