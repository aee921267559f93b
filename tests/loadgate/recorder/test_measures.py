"""Test measures: durations with their own name and group, counted separately from requests."""

import math

import pytest

from loadgate.recorder import OVERALL, FinishedRequest, Outcome, Recorder, RequestName
from loadgate.rules import RuleOutcome, evaluate, parse_rules

START_S = 1_700_000_000


def recorder_with_measures(*values_ms: float) -> Recorder:
    """One request of the group `chat`, and the measures."""
    recorder = Recorder()
    recorder.record(
        FinishedRequest("ask", Outcome.SUCCESS, start_s=START_S, latency_ms=900, group="chat", response_bytes=10)
    )
    for value_ms in values_ms:
        recorder.record_measure("first event", value_ms, at_s=START_S + 0.4, group="first")
    return recorder


def test_a_measure_counts_under_its_name_and_group_and_not_overall() -> None:
    recorder = recorder_with_measures(100, 200, 300)

    assert recorder.totals().requests == 1
    assert recorder.totals("chat").requests == 1
    assert sum(slot.totals.requests for slot in recorder.time_slots()) == 1
    for scope in ("first", "first event", RequestName("first event", "first")):
        sketch = recorder.totals(scope).success
        assert (sketch.count, sketch.min_ms, sketch.max_ms) == (3, 100, 300)
        assert recorder.totals(scope).failure.count == 0
        assert recorder.is_measure(scope)
    assert not recorder.is_measure("chat")
    assert not recorder.is_measure(OVERALL)
    assert recorder.groups() == ["chat", "first"]


def test_measures_are_not_requests() -> None:
    recorder = Recorder()
    recorder.record_measure("first event", 5, at_s=START_S)

    verdict = evaluate(parse_rules(["overall: failures < 1%", "first event: max < 1s"]), recorder)

    assert verdict.outcome is RuleOutcome.INCONCLUSIVE
    assert verdict.reason == "no request was recorded"
    assert not recorder.is_measure(OVERALL)


def test_a_scope_with_requests_and_measures_holds_its_requests() -> None:
    recorder = recorder_with_measures()
    recorder.record_measure("first event", 5, at_s=START_S, group="chat")

    assert recorder.totals("chat").success.max_ms == 900
    assert recorder.totals("chat", ["ramp"]).requests == 0
    assert recorder.totals("first event").success.max_ms == 5


@pytest.mark.parametrize("value_ms", [0.0, -0.0, -7.5, 0.00004, 0.099])
def test_a_value_too_small_to_be_a_latency_is_kept_and_never_negative(value_ms: float) -> None:
    sketch = recorder_with_measures(value_ms, 3).totals("first").success

    assert sketch.count == 2
    assert sketch.min_ms == max(0.0, value_ms)
    assert sketch.quantile(1) == 3


@pytest.mark.parametrize("value_ms", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_refused_and_changes_nothing(value_ms: float) -> None:
    recorder = recorder_with_measures()
    with pytest.raises(ValueError, match="finite"):
        recorder.record_measure("first event", value_ms, at_s=START_S)
    assert recorder.names() == ["ask"]


def test_measures_of_workers_are_summed_exactly() -> None:
    together, master = recorder_with_measures(1, 2, 3, 4), Recorder()
    for worker, values in {"a": (1, 3), "b": (2, 4)}.items():
        part = Recorder()
        for value_ms in values:
            part.record_measure("first event", value_ms, at_s=START_S + 0.4, group="first")
        master.merge_delta(part.take_delta(final=True), worker)

    assert master.totals("first") == together.totals("first")
    assert Recorder.from_json(master.to_json()).totals("first") == together.totals("first")


def test_rules_read_a_measure_like_a_latency() -> None:
    recorder = recorder_with_measures(*range(1, 101))

    verdict = evaluate(parse_rules(["first: p95 <= 95ms", "first event: p50 < 20ms", "first: requests > 99"]), recorder)

    assert [result.value for result in verdict.results] == pytest.approx([95, 50, 100], rel=0.005)
    assert [result.outcome.value for result in verdict.results] == ["pass", "fail", "pass"]


def test_the_slowest_requests_are_requests() -> None:
    recorder = recorder_with_measures(5000)

    assert [kept.name for kept in recorder.slowest()] == ["ask"]
