"""Test the rules of a run with fewer users than its profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.rules import RuleOutcome, parse_rules
from loadgate.run.judgement import Ending, RunFacts, judge

FULL = RunFacts(ending=Ending.COMPLETED, load_s=(1000.0, 1030.0), planned_s=30)
FEWER = replace(FULL, fewer_users="2 users instead of the profile's 10")
LIMIT = parse_rules(["health: p95 < 100ms"])


def recorder(*latencies_ms: float, failures: int = 0) -> Recorder:
    made = Recorder()
    for index, latency_ms in enumerate(latencies_ms):
        made.record(
            FinishedRequest("ping", Outcome.SUCCESS, start_s=1000 + index, latency_ms=latency_ms, group="health")
        )
    for index in range(failures):
        made.record(
            FinishedRequest("ping", Outcome.FAILURE, start_s=1000 + index, latency_ms=1, group="health", error="500")
        )
    return made


def test_few_requests_pass_in_a_smoke_test_if_each_keeps_the_limit() -> None:
    few = recorder(*[20.0] * 14, 99.0)
    (result,) = judge(LIMIT, few, FEWER).results
    assert result.outcome is RuleOutcome.PASS
    assert (result.value, result.samples) == (pytest.approx(99, rel=0.01), 15)
    assert (
        result.reason == "too few requests for a p95, but every request met the limit: the slowest of 15 took 99.0 ms"
    )
    assert judge(LIMIT, few, FULL).outcome is RuleOutcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "measured",
    [
        recorder(*[20.0] * 14, 101.0),  # a p95 may be below it all the same
        recorder(failures=5),
        recorder(),
    ],
    ids=["one is slower", "none succeeded", "none at all"],
)
def test_few_requests_are_inconclusive_if_one_breaks_the_limit_or_there_are_none(measured: Recorder) -> None:
    assert judge(LIMIT, measured, FEWER).outcome is RuleOutcome.INCONCLUSIVE


def test_the_slowest_request_above_the_limit_is_stated() -> None:
    (result,) = judge(LIMIT, recorder(*[20.0] * 14, 101.0), FEWER).results
    assert result.reason.endswith("not 15; the slowest of 15 took 101 ms, above the limit of 100 ms")


def test_enough_requests_are_judged_by_the_limit_itself() -> None:
    one_slow = recorder(*[20.0] * 39, 101.0)
    assert judge(LIMIT, one_slow, FEWER).outcome is RuleOutcome.PASS
    assert judge(LIMIT, recorder(*[101.0] * 40), FEWER).outcome is RuleOutcome.FAIL


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ("health: p99 <= 100ms", RuleOutcome.PASS),
        ("health: p95 < 100ms over 10s", RuleOutcome.PASS),
        ("ping: p95 < 100ms", RuleOutcome.PASS),
        ("health: p95 > 5ms", RuleOutcome.INCONCLUSIVE),
        ("tasks: p95 < 100ms", RuleOutcome.INCONCLUSIVE),
    ],
)
def test_other_rules_with_few_requests(rule: str, outcome: RuleOutcome) -> None:
    assert judge(parse_rules([rule]), recorder(*[20.0] * 15), FEWER).outcome is outcome


def test_a_saturated_generator_prevents_a_pass() -> None:
    busy = replace(FEWER, saturated="it used 99 % of one core")
    assert judge(LIMIT, recorder(20.0), busy).outcome is RuleOutcome.INCONCLUSIVE


def test_a_failed_request_among_few_prevents_a_pass() -> None:
    share = parse_rules(["overall: failures < 1%"])
    assert judge(share, recorder(*[20.0] * 40), FEWER).outcome is RuleOutcome.PASS
    assert judge(share, recorder(*[20.0] * 40, failures=1), FEWER).outcome is not RuleOutcome.PASS


def test_a_rule_on_the_capacity_is_listed_and_not_judged() -> None:
    rules = parse_rules(["health: p95 < 100ms", "capacity >= 150/s"])
    verdict = judge(rules, recorder(*[20.0] * 40), FULL)
    assert (verdict.outcome, verdict.reason) == (RuleOutcome.PASS, "the rule held")
    assert verdict.notes == (
        "not judged: capacity >= 150/s (a run does not measure the capacity; loadgate capacity judges it)",
    )
    alone = judge(rules[1:], recorder(*[20.0] * 40), FULL)
    assert (alone.outcome, alone.reason, alone.results) == (RuleOutcome.INCONCLUSIVE, "the run has no rules", ())


def test_limits_of_groups_without_users_are_listed_and_not_judged() -> None:
    rules = parse_rules(["health: p95 < 100ms", "tasks: p95 < 200ms", "overall: failures < 1%"])
    facts = replace(FEWER, groups_without_users=frozenset({"tasks"}))
    verdict = judge(rules, recorder(*[20.0] * 40), facts)
    assert verdict.outcome is RuleOutcome.PASS
    assert [result.rule.scope for result in verdict.results] == ["health", "overall"]
    assert verdict.notes == (
        "2 users instead of the profile's 10: a rule with too few requests passes if every request keeps its limit",
        "not judged: tasks: p95 < 200ms (this run has no users for tasks)",
    )
    # Its requests count, whichever user sent them.
    facts = replace(FEWER, groups_without_users=frozenset({"health"}))
    slow = judge(rules[:1], recorder(*[200.0] * 40), facts)
    assert slow.outcome is RuleOutcome.FAIL
    nothing_else = judge(rules[1:2], recorder(*[20.0] * 40), replace(FULL, groups_without_users=frozenset({"tasks"})))
    assert nothing_else.outcome is RuleOutcome.INCONCLUSIVE
