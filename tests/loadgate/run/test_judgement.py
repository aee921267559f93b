"""Test that an invalidating condition prevents a pass and never hides a failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadgate.exit_codes import ExitCode
from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.rules import RuleOutcome, evaluate, parse_rules
from loadgate.run.judgement import Ending, RunFacts, exit_code, judge, target_silence
from tests.loadgate.report.runs import STARTED_S, bare_run

RULES = parse_rules(["overall: p95 < 100ms", "overall: failures < 1%"])
OTHER = "those after the first 2,000 count as '(other names)'"
SOUND = RunFacts(ending=Ending.COMPLETED, load_s=(1000.0, 1060.0), planned_s=60)


def recorder(latency_ms: float = 10, count: int = 200) -> Recorder:
    made = Recorder()
    for index in range(count):
        made.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=1000 + index / 10, latency_ms=latency_ms))
    return made


def test_a_valid_run_passes() -> None:
    verdict = judge(RULES, recorder(), SOUND)
    assert verdict.outcome is RuleOutcome.PASS
    assert verdict.notes == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ending": Ending.INTERRUPTED, "load_s": (1000.0, 1012.0)}, "interrupted after 12 s of 1 min"),
        ({"exceptions": 2, "first_exception": "KeyError: 'id'"}, "raised an exception 2 times (first: KeyError: 'id')"),
        ({"incomplete": ("worker 1 was lost",)}, "worker 1 was lost"),
    ],
)
def test_an_invalidating_condition_makes_a_pass_inconclusive_but_a_failed_rule_still_fails(
    change: dict[str, object], says: str
) -> None:
    facts = replace(SOUND, **change)  # type: ignore[arg-type]
    passed = judge(RULES, recorder(), facts)
    assert passed.outcome is RuleOutcome.INCONCLUSIVE
    assert says in passed.reason
    failed = judge(RULES, recorder(latency_ms=200), facts)
    assert failed.outcome is RuleOutcome.FAIL
    assert says in failed.notes[0]


def test_a_saturated_generator_makes_latencies_inconclusive_only() -> None:
    verdict = judge(RULES, recorder(latency_ms=200), replace(SOUND, saturated="it used 99 % of one core"))
    assert [result.outcome for result in verdict.results] == [RuleOutcome.INCONCLUSIVE, RuleOutcome.PASS]


def test_a_run_that_was_aborted_with_a_saturated_generator_is_inconclusive() -> None:
    (broken,) = evaluate(RULES[:1], recorder(latency_ms=200)).results
    facts = replace(SOUND, ending=Ending.ABORTED, aborted_by=broken)
    assert judge(RULES, recorder(latency_ms=200), facts).outcome is RuleOutcome.FAIL
    assert judge(RULES, recorder(latency_ms=20), facts).outcome is RuleOutcome.FAIL
    for spoiled in ({"saturated": "it used 99 % of one core"}, {"lags": recorder(latency_ms=500)}):
        verdict = judge(RULES, recorder(latency_ms=200), replace(facts, **spoiled))  # type: ignore[arg-type]
        assert verdict.outcome is RuleOutcome.INCONCLUSIVE
        assert facts.abort_reason in verdict.notes


def test_a_target_that_stops_responding_is_noted() -> None:
    made = recorder()
    assert target_silence(made) is None
    for index in range(50):
        error = "ConnectionRefusedError: no"
        made.record(FinishedRequest("ping", Outcome.FAILURE, start_s=1021 + index / 10, latency_ms=1, error=error))
    silence = target_silence(made)
    assert silence is not None
    assert (
        "no request succeeded in the last 6 s: 50 requests failed (last error: ConnectionRefusedError: no)" in silence
    )


def test_a_few_failures_at_the_end_have_no_note() -> None:
    made = recorder()
    made.record(FinishedRequest("ping", Outcome.FAILURE, start_s=1020, latency_ms=1, error="HTTP 500"))
    assert target_silence(made) is None


def test_requests_after_the_end_of_the_load_are_outside() -> None:
    run = bare_run(rules=[], lasted_s=60)
    run._made_s = STARTED_S
    for start_s in (59.9, 60.1):
        run.record_request(FinishedRequest("ping", Outcome.SUCCESS, STARTED_S + start_s, 500))
    assert {stage: run.recorder.totals(stages=[stage]).requests for stage in run.recorder.stages()} == {
        "outside": 1,
        "steady": 1,
    }


def test_exit_codes() -> None:
    assert [int(exit_code(outcome)) for outcome in RuleOutcome] == [0, 99, 98]
    assert [code.value for code in ExitCode] == [0, 1, 2, 98, 99]


@pytest.mark.parametrize(("names", "says"), [(200, None), (201, "there are 201 request names; give"), (2500, OTHER)])
def test_too_many_names_have_a_note_and_do_not_change_the_verdict(names: int, says: str | None) -> None:
    made = Recorder()
    for number in range(names):
        made.record(FinishedRequest(f"/item?id={number}", Outcome.SUCCESS, start_s=1000 + number / 50, latency_ms=10))
    verdict = judge(RULES, made, SOUND)
    assert verdict.outcome is RuleOutcome.PASS
    assert [note for note in verdict.notes if says is None or says not in note] == []
    assert bool(verdict.notes) is (says is not None)
