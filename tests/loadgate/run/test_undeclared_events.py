"""Test the remark on undeclared events. A rule for `overall` that holds only with them is inconclusive."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.rules import RuleOutcome, parse_rules
from loadgate.run.first_bytes import MAX_NAMES_KEPT, OTHER, FirstBytes
from loadgate.run.judgement import Ending, RunFacts, judge
from loadgate.run.undeclared_events import find_undeclared_events

SOUND = RunFacts(ending=Ending.COMPLETED, load_s=(1000.0, 1060.0), planned_s=60)


def recorded(**counts: tuple[int, int, float | None]) -> Recorder:
    """Return a recorder with the given successes, failures and latency (ms) for each type."""
    recorder = Recorder()
    for method, (successes, failures, latency_ms) in counts.items():
        for number in range(successes + failures):
            recorder.record(
                FinishedRequest(
                    f"{method} x",
                    Outcome.SUCCESS if number < successes else Outcome.FAILURE,
                    start_s=1000.0 + number % 60,
                    latency_ms=latency_ms,
                    method=method,
                    error=None if number < successes else "failed",
                )
            )
    return recorder


@pytest.mark.parametrize(
    ("recorder", "declared", "others"),
    [
        (recorded(), (), None),
        (recorded(GET=(5, 0, 1.0), post=(5, 0, 1.0)), (), None),
        (recorded(grpc=(5, 0, 1.0), METRIC=(5, 0, 1.0)), (), None),
        (recorded(GET=(5, 0, 1.0), METRIC=(5, 0, 1.0)), ("METRIC",), None),
        (recorded(GET=(5, 0, 1.0), METRIC=(5, 0, 1.0), WSR=(1, 1, None)), ("METRIC",), {"WSR"}),
        (recorded(GET=(0, 5, 1.0), METRIC=(5, 0, 1.0), WSR=(1, 1, None)), (), {"METRIC", "WSR"}),
    ],
)
def test_undeclared_types_are_found(recorder: Recorder, declared: Collection[str], others: set[str] | None) -> None:
    undeclared = find_undeclared_events(recorder, declared)
    assert (None if undeclared is None else set(undeclared.undeclared_types)) == others
    for method in others or ():
        assert undeclared is not None
        assert f"{recorder.methods()[method]} of type {method}" in undeclared.note


def test_the_note_is_bounded_for_any_number_of_types() -> None:
    undeclared = find_undeclared_events(
        recorded(GET=(1, 0, 1.0), **{f"T{number}": (1, 0, 1.0) for number in range(500)}), ()
    )
    assert undeclared is not None
    assert len(undeclared.note) < 400
    assert "and of 495 more types" in undeclared.note


@pytest.mark.parametrize(
    ("rule", "outcome", "reason"),
    [
        # 5 % of the HTTP requests fail, and each takes 150 ms; with the figures it reads 0.63 % and 40 ms.
        ("overall: failures < 1%", RuleOutcome.INCONCLUSIVE, "with the HTTP requests alone, failures were 5.00 %"),
        ("overall: p50 < 100ms", RuleOutcome.INCONCLUSIVE, "with the HTTP requests alone, p50 was 150"),
        ("overall: requests > 500", RuleOutcome.INCONCLUSIVE, "with the HTTP requests alone, requests were 200"),
        ("overall: failures < 10%", RuleOutcome.PASS, ", limit < "),
        ("overall: failures < 0.1%", RuleOutcome.FAIL, "above the limit of 0.1 %"),
        ("GET x: p50 < 200ms", RuleOutcome.PASS, ", limit < "),
        ("METRIC x: p50 < 100ms", RuleOutcome.PASS, ", limit < "),
    ],
)
def test_a_limit_that_holds_only_with_undeclared_events_is_inconclusive(
    rule: str, outcome: RuleOutcome, reason: str
) -> None:
    recorder = recorded(GET=(190, 10, 150.0), METRIC=(1400, 0, 40.0))
    verdict = judge(parse_rules(rule), recorder, SOUND)
    (result,) = verdict.results
    assert result.outcome is verdict.outcome is outcome
    assert reason in result.reason
    assert any("1400 of type METRIC" in note for note in verdict.notes)


@pytest.mark.parametrize("limit", ["p95 < 1ms", "mean < 1ms", "max < 1ms", "min < 1ms", "p95 < 1ms over 5s"])
def test_a_latency_limit_of_requests_without_a_time_is_inconclusive(limit: str) -> None:
    recorder = recorded(GET=(100, 0, None))
    (result,) = judge(parse_rules(f"overall: {limit}"), recorder, SOUND).results
    assert result.outcome is RuleOutcome.INCONCLUSIVE
    assert "successful requests has a response time" in result.reason


def test_failures_without_a_time_are_failures() -> None:
    (result,) = judge(parse_rules("overall: failures < 1%"), recorded(GET=(90, 10, None)), SOUND).results
    assert (result.outcome, result.value, result.samples) == (RuleOutcome.FAIL, 10, 100)


def test_names_timed_until_their_first_byte_are_counted_in_bounded_memory() -> None:
    worker, master = FirstBytes(), FirstBytes()
    for number in range(10 * MAX_NAMES_KEPT):
        worker.add(f"name {number}")
    worker.add("name 0", 5)
    taken = worker.take()
    assert (sum(taken.values()), len(taken)) == (10 * MAX_NAMES_KEPT + 5, MAX_NAMES_KEPT + 1)
    assert not worker.take()
    assert not worker.remarks()
    master.merge(taken)
    (remark,) = master.remarks()
    assert f"{9 * MAX_NAMES_KEPT} of {OTHER}, 6 of name 0" in remark
    assert remark.endswith(f"and of {MAX_NAMES_KEPT - 2} more names")
