"""Test rules under the load generator's own lag: latencies that the lag can explain are inconclusive."""

from collections.abc import Sequence

import pytest

from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.rules import EvaluationContext, RuleOutcome, RuleResult, abort_result, evaluate, parse_rules

START_S = 1_700_000_000
PASS, FAIL, INCONCLUSIVE = RuleOutcome.PASS, RuleOutcome.FAIL, RuleOutcome.INCONCLUSIVE


def recorded(values_ms: Sequence[float], recorder: Recorder | None = None, name: str = "ping", at: int = 0) -> Recorder:
    """Record values whose ends are evenly spread over ten seconds."""
    recorder = recorder or Recorder()
    for number, value_ms in enumerate(values_ms):
        end_s = START_S + at + 10 * number / len(values_ms)
        recorder.record(FinishedRequest(name, Outcome.SUCCESS, start_s=end_s - value_ms / 1000, latency_ms=value_ms))
    return recorder


def shares(*parts: tuple[int, float]) -> list[float]:
    """Return 200 values with the given percentages, evenly mixed."""
    values: list[float] = []
    for number in range(200):
        place = number * 37 % 100
        for percent, value in parts:
            if place < percent:
                values.append(value)
                break
            place -= percent
    return values


def judge(line: str, latencies: Recorder, lags: Recorder) -> RuleResult:
    (result,) = evaluate(parse_rules([line]), latencies, EvaluationContext(lags=lags)).results
    assert result.undetermined is (result.outcome is INCONCLUSIVE)
    return result


HEALTHY = shares((94, 0.3), (5, 3.0), (1, 60.0))
STALLED = shares((60, 0.3), (40, 200.0))


@pytest.mark.parametrize(
    ("line", "latencies", "lags", "outcome"),
    [
        # A target that is really too slow, slightly or only in its tail, on a machine with occasional stalls.
        ("ping: p95 < 100ms", shares((100, 104.0)), HEALTHY, FAIL),
        ("ping: p95 < 100ms", shares((92, 20.0), (8, 150.0)), HEALTHY, FAIL),
        ("ping: mean < 100ms", shares((100, 104.0)), HEALTHY, FAIL),
        ("ping: min < 100ms", shares((100, 104.0)), HEALTHY, FAIL),
        ("ping: max < 1s", shares((99, 20.0), (1, 1200.0)), HEALTHY, FAIL),
        ("ping: p95 < 100ms", shares((100, 400.0)), STALLED, FAIL),
        # A fast target and a generator that often stalls.
        ("ping: p95 < 50ms", shares((64, 20.0), (36, 170.0)), STALLED, INCONCLUSIVE),
        ("ping: p95 < 100ms", shares((5, 20.0), (95, 222.0)), shares((10, 0.3), (90, 222.0)), INCONCLUSIVE),
        ("ping: mean < 50ms", shares((64, 20.0), (36, 170.0)), STALLED, INCONCLUSIVE),
        # Only the target's tail and the generator's stalls together break the rule.
        ("ping: p95 < 50ms", shares((92, 20.0), (4, 150.0), (4, 1000.0)), shares((96, 0.3), (4, 200.0)), INCONCLUSIVE),
        # One stall is enough for a maximum.
        ("ping: max < 100ms", shares((99, 20.0), (1, 150.0)), shares((99, 0.3), (1, 140.0)), INCONCLUSIVE),
        # Lag only increases latencies: an upper limit that holds with lag holds without it, a lower limit may not.
        ("ping: p95 < 500ms", shares((64, 20.0), (36, 170.0)), STALLED, PASS),
        ("ping: p95 > 50ms", shares((64, 20.0), (36, 170.0)), STALLED, INCONCLUSIVE),
        ("ping: failures > 1", shares((100, 20.0)), STALLED, FAIL),
    ],
)
def test_a_rule_that_the_lag_may_have_failed_is_inconclusive(
    line: str, latencies: list[float], lags: list[float], outcome: RuleOutcome
) -> None:
    assert judge(line, recorded(latencies), recorded(lags, name="wake-up")).outcome is outcome


def test_the_reason_states_the_lower_bound() -> None:
    result = judge("ping: p95 < 50ms", recorded(shares((64, 20.0), (36, 170.0))), recorded(STALLED, name="wake-up"))

    assert result.reason == (
        "p95 was 170 ms, above the limit of 50 ms; this includes the load generator's own lag; without the lag, the "
        "value can be as low as 18.9 ms"
    )


def test_the_largest_of_several_lags_counts() -> None:
    lags = recorded(HEALTHY, name="wake-up")
    recorded(STALLED, lags, name="arrival")

    assert judge("ping: p95 < 50ms", recorded(shares((64, 20.0), (36, 170.0))), lags).outcome is INCONCLUSIVE


def test_a_window_is_compared_with_the_lags_of_its_own_time() -> None:
    latencies, lags = recorded(shares((64, 20.0), (36, 170.0))), recorded(STALLED, name="wake-up")
    recorded([20.0] * 200, latencies, at=10)
    recorded(HEALTHY, lags, name="wake-up", at=10)
    line = "ping: p95 < 50ms over 10s"
    early = judge(line, latencies, lags)

    assert (early.outcome, early.window_start_s) == (INCONCLUSIVE, START_S)

    # A later window that is broken by less has no such excuse.
    recorded([80.0] * 200, latencies, at=20)
    recorded(HEALTHY, lags, name="wake-up", at=20)
    late = judge(line, latencies, lags)

    assert (late.outcome, late.value) == (FAIL, pytest.approx(80, rel=0.005))


@pytest.mark.parametrize("line", ["ping: p95 < 50ms abort", "ping: p95 < 50ms over 5s abort"])
def test_lag_does_not_stop_a_run(line: str) -> None:
    latencies = recorded(shares((64, 20.0), (36, 170.0)))

    def ask(lags: list[float]) -> RuleResult | None:
        context = EvaluationContext(load_s=(START_S, START_S + 10), lags=recorded(lags, name="wake-up"))
        return abort_result(parse_rules([line]), latencies, context, complete_until_s=START_S + 10)

    assert ask(STALLED) is None
    assert ask(HEALTHY) is not None
