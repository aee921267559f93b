"""Test rules with a window: every full window must pass, so a short spike is detected."""

import random

import pytest

from loadgate.analysis.windows import fill_gaps, full_windows
from loadgate.recorder import FinishedRequest, LatencySketch, Outcome, Recorder, TimeSlot, Totals
from loadgate.rules import EvaluationContext, RuleOutcome, RuleResult, evaluate, parse_rules

START_S = 1_700_000_000


def second(recorder: Recorder, number: int, latency_ms: float, count: int = 10, outcome: str = "success") -> None:
    for part in range(count):
        recorder.record(
            FinishedRequest(
                "ping",
                Outcome(outcome),
                start_s=START_S + number + 0.9 * part / count - latency_ms / 1000,
                latency_ms=latency_ms,
                group="health",
            )
        )


def judge(line: str, recorder: Recorder, context: EvaluationContext | None = None) -> RuleResult:
    return evaluate(parse_rules([line]), recorder, context).results[0]


def slot_of(start_s: int, values: list[float], width_s: int = 1) -> TimeSlot:
    sketch = LatencySketch()
    for value in values:
        sketch.record(value)
    return TimeSlot(start_s, width_s, Totals(sketch))


@pytest.mark.parametrize("length_s", [1, 2, 7, 10])
def test_windows_contain_exactly_their_slots(length_s: int) -> None:
    rnd = random.Random(length_s)
    slots = [slot_of(second, [rnd.uniform(1, 100) for _ in range(rnd.randrange(4))]) for second in range(10)]

    windows = list(full_windows(slots, length_s))

    assert [window.start_s for window in windows] == list(range(10 - length_s + 1))
    for window in windows:
        inside = slots[window.start_s : window.start_s + length_s]
        assert window.totals == Totals.sum(slot.totals for slot in inside)
        assert window.length_s == length_s


def test_there_is_no_window_longer_than_the_run() -> None:
    assert list(full_windows([slot_of(second, [1.0]) for second in range(5)], 6)) == []
    assert list(full_windows([], 1)) == []


def test_windows_over_rolled_up_slots_end_with_a_slot() -> None:
    slots = [slot_of(0, [1.0], 10), slot_of(10, [2.0], 10), slot_of(20, [3.0]), slot_of(21, [4.0])]

    assert [(window.start_s, window.length_s) for window in full_windows(slots, 5)] == [(0, 10), (10, 10)]
    assert [(window.start_s, window.length_s) for window in full_windows(slots, 11)] == [(0, 20), (10, 11)]


def test_gaps_become_empty_seconds() -> None:
    filled = fill_gaps([slot_of(3, [1.0]), slot_of(5, [1.0], 2), slot_of(9, [1.0])], 2, 9)

    assert [(slot.start_s, slot.width_s, slot.totals.requests) for slot in filled] == [
        (2, 1, 0),
        (3, 1, 1),
        (4, 1, 0),
        (5, 2, 1),
        (7, 1, 0),
        (8, 1, 0),
    ]


def test_a_two_second_spike_that_the_whole_run_hides_breaks_a_window() -> None:
    recorder = Recorder()
    for number in range(300):
        second(recorder, number, 300.0 if number in {120, 121} else 20.0)

    whole, windowed = judge("health: p95 < 100ms", recorder), judge("health: p95 < 100ms over 10s", recorder)

    assert (whole.outcome, whole.value) == (RuleOutcome.PASS, pytest.approx(20.0, rel=0.005))
    assert (windowed.outcome, windowed.value) == (RuleOutcome.FAIL, pytest.approx(300.0, rel=0.005))
    assert windowed.window_start_s in range(START_S + 111, START_S + 122)
    assert "in the worst of 291 windows of 10 s, 1:5" in windowed.reason
    assert windowed.samples == 100


def test_windows_with_too_few_requests_are_not_judged() -> None:
    recorder = Recorder()
    for number in range(60):
        second(recorder, number, 20.0, count=10 if number < 30 else 1)

    result = judge("health: p95 < 100ms over 10s", recorder)

    assert result.outcome is RuleOutcome.PASS
    assert "more had too few requests" in result.reason


@pytest.mark.parametrize(
    ("seconds", "count", "part"),
    [(60, 1, "no window of 10 s could be judged: p95 needs at least 20"), (9, 10, "there is no full window of 10 s")],
)
def test_without_a_window_a_rule_is_inconclusive(seconds: int, count: int, part: str) -> None:
    recorder = Recorder()
    for number in range(seconds):
        second(recorder, number, 20.0, count)

    result = judge("health: p95 < 100ms over 10s", recorder)

    assert result.outcome is RuleOutcome.INCONCLUSIVE
    assert part in result.reason


def test_a_standstill_breaks_a_throughput_rule() -> None:
    recorder = Recorder()
    for number in range(60):
        if number not in range(30, 40):
            second(recorder, number, 20.0)

    fine = judge("health: throughput >= 10/s", recorder, EvaluationContext(load_s=(START_S, START_S + 50)))
    windowed = judge("health: throughput > 1/s over 10s", recorder)

    assert fine.outcome is RuleOutcome.PASS
    assert (windowed.outcome, windowed.value, windowed.window_start_s) == (RuleOutcome.FAIL, 0.0, START_S + 30)


@pytest.mark.parametrize("line", ["health: requests >= 20 over 2s", "health: throughput >= 10/s over 2s"])
def test_windows_of_counts_lie_within_the_time_of_the_load(line: str) -> None:
    recorder = Recorder()
    for number in range(20):
        second(recorder, number, 20.0)
    second(recorder, 26, 6500.0, count=1)  # it was waited for after the load had ended
    context = EvaluationContext(load_s=(START_S + 0.3, START_S + 20.1))

    assert judge(line, recorder, context).outcome is RuleOutcome.PASS
    broken = judge(line, recorder, EvaluationContext(load_s=(START_S + 0.3, START_S + 24.1)))
    assert (broken.outcome, broken.value, broken.window_start_s) == (RuleOutcome.FAIL, 0.0, START_S + 20)


def test_the_partial_seconds_at_both_ends_do_not_count_as_low_throughput() -> None:
    recorder = Recorder()
    for number in range(30):
        second(recorder, number, 20.0, count=1 if number in {0, 29} else 10)

    assert judge("health: throughput >= 10/s over 1s", recorder).outcome is RuleOutcome.PASS
    assert judge("health: requests >= 50 over 5s", recorder).outcome is RuleOutcome.PASS


def test_a_scope_without_requests_at_the_end_is_detected() -> None:
    recorder = Recorder()
    for number in range(60):
        if number < 40:
            second(recorder, number, 20.0)
        recorder.record(FinishedRequest("root", Outcome.SUCCESS, start_s=START_S + number, latency_ms=1, group="other"))

    assert judge("health: throughput > 1/s over 10s", recorder).outcome is RuleOutcome.FAIL


def test_failures_in_one_window_are_found() -> None:
    recorder = Recorder()
    for number in range(200):
        second(recorder, number, 20.0, outcome="failure" if number == 50 else "success")

    assert judge("health: failures < 1%", recorder).outcome is RuleOutcome.PASS
    result = judge("health: failures < 5% over 10s", recorder)
    assert (result.outcome, result.value) == (RuleOutcome.FAIL, 10.0)


def test_latency_windows_exclude_the_ramp() -> None:
    recorder = Recorder()
    for number in range(40):
        for _ in range(10):
            recorder.record(
                FinishedRequest(
                    "ping",
                    Outcome.SUCCESS,
                    start_s=START_S + number,
                    latency_ms=500 if number < 10 else 20,
                    group="health",
                ),
                "ramp" if number < 10 else "steady",
            )

    result = judge("health: p95 < 100ms over 10s", recorder)

    assert (result.outcome, result.stages) == (RuleOutcome.PASS, "steady")
    assert result.value_all_stages == 500.0
