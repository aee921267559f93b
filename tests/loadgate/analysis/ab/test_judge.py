"""The conclusion of a comparison: outcomes, sentences, looks, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadgate.analysis.ab.judge import judge
from loadgate.analysis.ab.result import AbResult, Change
from loadgate.analysis.ab.segments import Comparison, Measure, MeasureKind, Pair, ScopeCounts, Segment
from loadgate.analysis.decision import RuleOutcome
from tests.loadgate.analysis.ab.made_segments import FAILURES, MEAN, P50, P95, P99, pairs, segment

RULES = (P50, P95, MEAN, FAILURES)
COMPARISON = Comparison(RULES, looks=(8, 16))


def rule(result: AbResult, measure: Measure) -> Change:
    (found,) = (change for change in result.rules if change.measure == measure)
    return found


def test_a_slower_head_fails_with_its_numbers() -> None:
    result = judge(pairs(10, 1.2), Comparison(RULES, looks=(10, 20)))
    assert result.outcome is RuleOutcome.FAIL
    assert result.is_final
    slower = rule(result, P95)
    assert slower.outcome is RuleOutcome.FAIL
    assert slower.p_value == 2 / 2**10
    assert slower.change == pytest.approx(0.2, abs=0.06)
    assert slower.interval is not None
    assert slower.interval.low is not None
    assert slower.interval.high is not None
    assert slower.reason == "more than 5 % slower"
    assert len(slower.pairs) == 10
    assert slower.more_pairs is None
    assert rule(result, FAILURES).outcome is RuleOutcome.PASS
    assert result.reason.startswith("auth: p95 is ")
    assert " % slower (+" in result.reason
    assert " ms instead of " in result.reason
    assert result.reason.endswith("; 2 more rules fail")


def test_equal_sides_pass_with_the_rule_that_is_closest_to_its_margin() -> None:
    result = judge(pairs(8, requests=1000), COMPARISON)
    assert result.outcome is RuleOutcome.PASS
    assert result.is_final
    closest = rule(result, MEAN)
    assert result.reason == (
        "all 4 rules are within their margins; the closest is auth: mean, "
        "-2.06 % (interval -5.75 to +1.77 %, margin +10 %)"
    )
    assert closest.reason == "less than 10 % slower"
    assert closest.interval is not None
    assert closest.interval.high is not None
    shares = [change.interval.high / 0.1 for change in result.rules[:3] if change.interval and change.interval.high]
    assert max(shares) == pytest.approx(closest.interval.high / 0.1)


def test_a_faster_head_passes() -> None:
    result = judge(pairs(8, 0.7), Comparison((P95,), looks=(8, 16)))
    assert result.outcome is RuleOutcome.PASS
    assert result.reason.startswith("auth: p95 is within its margin: -")


def test_a_change_that_does_not_matter_passes_although_it_is_significant() -> None:
    result = judge(pairs(16, 1.03, spread=0.001, requests=1000), Comparison((P50,), looks=(16,)))
    (change,) = result.rules
    assert change.p_value is not None
    assert change.p_value < 0.005
    assert change.outcome is RuleOutcome.PASS
    assert result.reason.startswith("auth: p50 is within its margin: +")
    assert result.reason.endswith(" %, margin +10 %)")


def test_an_undecided_rule_says_how_many_pairs_would_decide() -> None:
    first = judge(pairs(8, 1.07, spread=0.06), COMPARISON)
    assert first.outcome is RuleOutcome.INCONCLUSIVE
    assert not first.is_final
    undecided = rule(first, P95)
    assert undecided.outcome is RuleOutcome.INCONCLUSIVE
    assert undecided.more_pairs is not None
    assert undecided.reason == "less than 5 % and more than 10 % slower are both possible"
    assert " of 4 rules are inconclusive; auth: " in first.reason
    assert first.reason.endswith(" more pairs would decide")
    last = judge(pairs(16, 1.07, spread=0.12), COMPARISON)
    assert last.outcome is RuleOutcome.INCONCLUSIVE
    assert last.is_final


def test_more_failures_fail() -> None:
    made = pairs(10, failures=(0, 6))
    result = judge(made, Comparison((FAILURES,), looks=(10,)))
    assert result.outcome is RuleOutcome.FAIL
    assert result.reason.startswith("auth: failures are higher by 1.96 points (+1.38 to +2.54 points), ")
    assert result.reason.endswith(" 1.96 % instead of 0 %")


def test_a_broken_guard_makes_a_fail_and_a_pass_inconclusive() -> None:
    for factor in (1.0, 1.2):
        made = [replace(pair, head=replace(pair.head, rate_per_s=45.0)) for pair in pairs(8, factor, requests=1000)]
        result = judge(made, COMPARISON)
        assert result.outcome is RuleOutcome.INCONCLUSIVE
        assert result.is_final
        assert result.reason.startswith("the arrival rates were 50.0/s for base and 45.0/s for head, ")
        assert result.reason.endswith("at most 1 % is allowed")


def test_a_pair_with_a_problem_is_left_out_and_named() -> None:
    made = pairs(9, requests=1000)
    made[4] = Pair(made[4].base, segment([9999.0] * 100, problem="the load generator was saturated"))
    result = judge(made, COMPARISON)
    assert result.outcome is RuleOutcome.PASS
    assert (
        result.guards[-1].sentence == "1 of 9 pairs cannot be compared: pair 5, head: the load generator was saturated."
    )
    assert result.pairs == 8
    assert [change is None for change in rule(result, P95).pairs] == [pair == 4 for pair in range(9)]
    assert abs(rule(result, MEAN).change or 1.0) < 0.05


def test_a_target_that_ends_now_and_then_is_no_pass() -> None:
    made = pairs(9, requests=1000)
    made[4] = Pair(made[4].base, segment(problem="the target ended", is_fault=True))
    result = judge(made, COMPARISON)
    assert result.outcome is RuleOutcome.INCONCLUSIVE
    assert result.reason == "1 of 9 pairs cannot be compared: pair 5, head: the target ended"


@pytest.mark.parametrize("compared", [0, 3])
def test_a_head_that_ends_each_time_fails(compared: int) -> None:
    ended = segment(problem="the target ended with exit code 3", is_fault=True)
    result = judge([*pairs(compared), *[Pair(segment(), ended)] * 6], COMPARISON)
    assert (result.outcome, result.is_final) == (RuleOutcome.FAIL, True)
    assert result.reason == (
        f"head had faults in 6 of {6 + compared} pairs, and base in none: the target ended with exit code 3"
    )


def test_a_route_that_base_lacks_is_inconclusive_and_no_more_pairs_are_measured_for_it() -> None:
    made = [Pair(segment(scope="tasks"), segment([10.0 + number % 5 for number in range(100)])) for _ in range(8)]
    result = judge(made, Comparison((P95,), looks=(8, 16)))
    (change,) = result.rules
    assert (change.base, change.change, change.interval, change.p_value) == (None, None, None, None)
    assert change.head is not None
    assert change.pairs == (None,) * 8
    assert result.reason == "auth: p95: base has no requests"
    assert result.outcome is RuleOutcome.INCONCLUSIVE
    assert result.is_final


def test_a_rule_that_cannot_be_compared_does_not_hide_one_that_fails() -> None:
    llm = Measure("llm", MeasureKind.PERCENTILE, 95.0)
    result = judge(pairs(10, 1.3), Comparison((llm, P95), looks=(10, 20)))
    assert [change.outcome for change in result.rules] == [RuleOutcome.INCONCLUSIVE, RuleOutcome.FAIL]
    assert result.rules[0].reason == "base and head have no requests"
    assert result.outcome is RuleOutcome.FAIL


def test_a_head_that_only_fails_fails_by_its_failures() -> None:
    made = [Pair(pair.base, segment(failures=300)) for pair in pairs(10)]
    result = judge(made, Comparison((P95, FAILURES), looks=(10, 20)))
    assert rule(result, P95).reason == "all 3,000 requests of head failed, so there is no latency to compare"
    assert rule(result, FAILURES).outcome is RuleOutcome.FAIL
    assert result.outcome is RuleOutcome.FAIL


def test_a_comparison_without_pairs_or_rules_is_inconclusive() -> None:
    empty = judge([], COMPARISON)
    assert (empty.outcome, empty.reason, empty.pairs) == (RuleOutcome.INCONCLUSIVE, "no pair was measured", 0)
    assert rule(empty, P95).reason == "no pair can be compared"
    without = judge(pairs(8), Comparison((), looks=(8, 16)))
    assert (without.outcome, without.reason) == (RuleOutcome.INCONCLUSIVE, "the suite has no rule to compare")
    assert without.is_final


def test_one_pair_shows_a_change_and_is_inconclusive() -> None:
    result = judge(pairs(1, 2.0), COMPARISON)
    assert result.outcome is RuleOutcome.INCONCLUSIVE
    assert rule(result, P95).reason == "there are too few pairs for an interval"
    assert result.reason.endswith("; there are too few pairs for an interval")
    assert rule(result, P95).p_value == 1.0


def test_equal_measures_are_compared_once() -> None:
    made = pairs(8, 1.05)
    assert judge(made, Comparison((P95, P95, P50), looks=(8,))) == judge(made, Comparison((P95, P50), looks=(8,)))


def test_other_measures_are_shown_and_decide_nothing() -> None:
    made = pairs(8, 1.3)
    result = judge(made, Comparison((FAILURES,), (P99, Measure("llm", MeasureKind.MEAN)), looks=(8, 16)))
    assert result.outcome is RuleOutcome.PASS
    shown, missing = result.others
    assert (shown.p_value, shown.more_pairs, shown.outcome) == (None, None, RuleOutcome.INCONCLUSIVE)
    assert shown.change == pytest.approx(0.3, abs=0.1)
    assert missing.reason == "base and head have no requests"


def named(pair: Pair, other: Pair) -> Pair:
    def both(one: Segment, two: Segment) -> Segment:
        scopes: dict[str, ScopeCounts] = {"auth": one.scopes["auth"], "GET /ping": two.scopes["auth"]}
        return replace(one, scopes=scopes)

    return Pair(both(pair.base, other.base), both(pair.head, other.head))


def test_request_names_are_shown_and_never_fail() -> None:
    made = [named(*both) for both in zip(pairs(10), pairs(10, 1.3, seed=2), strict=True)]
    result = judge(made, Comparison((FAILURES,), names=("auth", "GET /ping", "GET /none"), looks=(10, 20)))
    assert result.outcome is RuleOutcome.PASS
    assert [(name.name, name.is_discovery) for name in result.names] == [("auth", False), ("GET /ping", True)]
    assert result.names[1].change == pytest.approx(0.3, abs=0.1)
    assert result.names[1].interval is not None


def test_the_same_pairs_have_the_same_result() -> None:
    made = pairs(15, 1.05)
    assert judge(made, COMPARISON) == judge(made, COMPARISON)
