"""Test the recovery from a disturbance against simulated and described runs."""

import random

import pytest

from benchmarks.calibrate.conclusions import drains
from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.recovery.recovery import Recovery, RecoveryState, decide_recovery, recovery
from loadgate.analysis.recovery.text import recovery_sentences
from loadgate.analysis.traffic import Traffic
from loadgate.recorder import InFlight, TimeSlot, Totals
from tests.loadgate.analysis.made_traffic import (
    AFTER_S,
    BEFORE_S,
    END_S,
    RUSH_S,
    STAGES,
    START_S,
    after_rush,
    second_of,
    traffic_of,
)


def recovered(traffic: Traffic, **options: str) -> Recovery:
    return recovery(traffic, STAGES, "rush", END_S, **options)


def steady(rnd: random.Random, second: int) -> Totals:
    return second_of(rnd, 50)


@pytest.mark.parametrize("case", drains.CASES, ids=str)
def test_recovery_time_is_within_one_window_of_the_truth(case: drains.DrainCase) -> None:
    assert drains.is_right(case, drains.simulate(case, seed=100))


def test_recovery_is_found_for_failures_without_slow_responses() -> None:
    found = recovered(
        traffic_of(lambda rnd, second: second_of(rnd, 50, failed=0.3 if BEFORE_S <= second < BEFORE_S + 50 else 0.0))
    )
    assert found.time_s == 20 + found.window_s // 2
    assert found.bad is not None
    assert 50 * 15 <= found.bad.failed <= 52 * 15


@pytest.mark.parametrize(("added_ms", "recovers_at_once"), [(8.0, True), (30.0, False)])
def test_a_few_milliseconds_more_of_a_fast_route_are_no_disturbance(added_ms: float, recovers_at_once: bool) -> None:
    found = recovered(
        traffic_of(lambda rnd, second: second_of(rnd, 50, median_ms=2 + added_ms * (0 <= after_rush(second) < 20)))
    )
    assert (found.time_s == 0) == recovers_at_once


def test_a_single_failure_is_no_disturbance() -> None:
    found = recovered(traffic_of(lambda rnd, second: second_of(rnd, 50, failed=0.01 if second % 20 == 0 else 0.0)))
    assert found.time_s == 0


def test_a_target_that_no_longer_answers_does_not_recover() -> None:
    found = recovered(traffic_of(lambda rnd, second: second_of(rnd, 50) if after_rush(second) < -10 else None))
    assert found.state is RecoveryState.NOT_RECOVERED
    assert recovery_sentences(found)[0] == "auth did not recover within 1 min 30 s after rush."


def test_a_target_that_fails_every_request_does_not_recover() -> None:
    found = recovered(traffic_of(lambda rnd, second: second_of(rnd, 50, failed=float(second >= BEFORE_S))))
    assert found.state is RecoveryState.NOT_RECOVERED
    assert found.lasting is None


def test_a_pause_without_answers_delays_the_recovery() -> None:
    found = recovered(
        traffic_of(lambda rnd, second: None if 0 <= after_rush(second) < 12 else second_of(rnd, 50)),
    )
    assert found.time_s is not None
    assert abs(found.time_s - 12) <= found.window_s


def test_seconds_in_which_no_request_was_due_do_not_count() -> None:
    arrivals = {START_S + second: 0.0 if after_rush(second) in range(20, 40) else 50.0 for second in range(180)}
    found = recovered(
        traffic_of(
            lambda rnd, second: second_of(rnd, 50) if arrivals[START_S + second] else None,
            arrivals=arrivals,
        )
    )
    assert found.time_s == 0


def test_a_target_that_falls_behind_its_arrivals_does_not_recover() -> None:
    arrivals = {START_S + second: 50.0 for second in range(180)}
    found = recovered(
        traffic_of(lambda rnd, second: second_of(rnd, 50 if second < BEFORE_S else 30), arrivals=arrivals)
    )
    assert found.state is RecoveryState.NOT_RECOVERED


def test_a_good_moment_at_the_end_is_no_recovery() -> None:
    found = recovered(
        traffic_of(lambda rnd, second: second_of(rnd, 50, median_ms=200 if BEFORE_S <= second < 172 else 100))
    )
    assert found.state is RecoveryState.NOT_RECOVERED


@pytest.mark.parametrize(
    ("traffic", "reason"),
    [
        (traffic_of(lambda rnd, second: second_of(rnd, 50, failed=1.0)), "3,000 of 3,000 requests before failed"),
        (traffic_of(lambda rnd, second: None if second < BEFORE_S else steady(rnd, second)), "no requests before"),
        (traffic_of(lambda rnd, second: second_of(rnd, second % 2)), "too few"),
        (Traffic("auth", []), "no requests before"),
    ],
)
def test_a_base_that_says_nothing_leaves_the_recovery_undecided(traffic: Traffic, reason: str) -> None:
    found = recovered(traffic)
    assert found.state is RecoveryState.UNDECIDED
    assert reason in found.reason


def test_a_short_base_leaves_the_recovery_undecided() -> None:
    stages = [(START_S + BEFORE_S - 20, "before"), *STAGES[1:]]
    found = recovery(traffic_of(steady), stages, "rush", END_S)
    assert found.reason == "the time before was only 20 s; at least 30 s are needed"


def test_few_requests_make_longer_windows() -> None:
    found = recovered(traffic_of(lambda rnd, second: second_of(rnd, 3)))
    assert (found.window_s, found.time_s) == (10, 0)


@pytest.mark.parametrize(
    ("stage", "end_s", "reason"),
    [
        ("flood", END_S, "the stage flood did not start"),
        ("before", END_S, "there is no stage before before"),
        ("rush", START_S + BEFORE_S + 10, "the run ended 10 s after the start of rush, before its end"),
        ("rush", START_S + BEFORE_S + RUSH_S + 5, "the time after rush was only 5 s; at least 10 s are needed"),
    ],
)
def test_a_run_without_the_stages_leaves_the_recovery_undecided(stage: str, end_s: float, reason: str) -> None:
    assert recovery(traffic_of(steady), STAGES, stage, end_s).reason == reason


def test_unreliable_measurements_leave_the_recovery_undecided() -> None:
    found = recovered(traffic_of(steady), unreliable="the load generator was saturated")
    assert recovery_sentences(found) == [
        "It is not known whether auth recovered after rush: the load generator was saturated."
    ]


def test_the_ramp_before_a_stage_is_not_its_base() -> None:
    stages = [(START_S, "before"), (START_S + 50, "ramp"), *STAGES[1:]]
    found = recovery(traffic_of(steady), stages, "rush", END_S)
    assert found.spans is not None
    assert found.spans.before.end_s == START_S + 50


def test_the_time_after_ends_where_the_stage_begins_again() -> None:
    stages = [*STAGES, (START_S + 150, "rush"), (START_S + 160, "after")]
    assert recovery(traffic_of(steady), stages, "rush", END_S).observed_s == 60


def test_an_unsteady_base_widens_the_band() -> None:
    found = recovered(
        traffic_of(lambda rnd, second: second_of(rnd, 50, median_ms=300 if second % 30 >= 24 else 100, sigma=0.01))
    )
    assert found.band is not None
    assert found.band.placebo <= 0.05
    assert found.band.limit_ms > 250


def test_lasting_damage_has_an_interval() -> None:
    found = recovered(traffic_of(lambda rnd, second: second_of(rnd, 50, median_ms=105 if second >= 90 else 100)))
    assert found.time_s == 0
    assert found.lasting is not None
    assert found.lasting.interval.low is not None
    assert 1 < found.lasting.interval.low < 1.05 < (found.lasting.interval.high or 0)


def with_queue(served_per_s: int, slow_s: int) -> Traffic:
    """A rush of 30 s leaves 300 requests, which are served in addition to 50 arrivals per second; later 50 are slow."""
    slots, in_flight, level = [], [], 5.0
    for second in range(180):
        arrivals = served_per_s + 10 if BEFORE_S <= second < BEFORE_S + RUSH_S else 50
        served = min(served_per_s, int(level - 5 + arrivals))
        rnd = random.Random(second)
        slow = level > 5 or 0 <= after_rush(second) < slow_s
        slots.append(TimeSlot(START_S + second, 1, second_of(rnd, served, median_ms=300 if slow else 100)))
        in_flight.append(InFlight(START_S + second, 1, level + (arrivals - served) / 2))
        level += arrivals - served
    return Traffic("auth", slots, in_flight=in_flight)


def test_a_queue_explains_the_time_in_which_it_is_served() -> None:
    found = recovered(with_queue(served_per_s=70, slow_s=0))
    assert found.queue is not None
    assert found.queue.drain_s == pytest.approx(300 / (70 - 50), abs=1.5)
    assert found.time_s == pytest.approx(15, abs=5)
    assert not found.queue.longer


def test_a_recovery_that_takes_longer_than_the_queue_says_so() -> None:
    found = recovered(with_queue(served_per_s=70, slow_s=50))
    assert found.queue is not None
    assert found.queue.longer
    assert any("longer than the queue alone explains" in sentence for sentence in recovery_sentences(found))


@pytest.mark.parametrize(
    ("limit_s", "conclusion"),
    [(60, RuleOutcome.PASS), (24, RuleOutcome.INCONCLUSIVE), (18, RuleOutcome.INCONCLUSIVE), (10, RuleOutcome.FAIL)],
)
def test_a_rule_is_open_if_its_limit_is_within_the_resolution(limit_s: float, conclusion: RuleOutcome) -> None:
    found = recovered(
        traffic_of(lambda rnd, second: second_of(rnd, 50, median_ms=300 if 0 <= after_rush(second) < 20 else 100))
    )
    decision = decide_recovery(found, lambda value: value < limit_s)
    assert (decision.value, decision.outcome) == (22, conclusion)


@pytest.mark.parametrize(("limit_s", "conclusion"), [(30, RuleOutcome.FAIL), (120, RuleOutcome.INCONCLUSIVE)])
def test_a_recovery_that_was_not_seen_breaks_only_limits_that_were_observed(
    limit_s: float, conclusion: RuleOutcome
) -> None:
    found = recovered(traffic_of(lambda rnd, second: second_of(rnd, 50, median_ms=300 if second >= BEFORE_S else 100)))
    assert found.observed_s == AFTER_S
    assert decide_recovery(found, lambda value: value < limit_s).outcome is conclusion


def test_a_scope_that_never_left_its_band_recovered_at_once() -> None:
    decision = decide_recovery(recovered(traffic_of(steady)), lambda value: value < 1)
    assert decision.outcome is RuleOutcome.PASS
    assert decision.reason == "auth was inside its band from the end of rush on"


def test_an_undecided_recovery_leaves_the_rule_open() -> None:
    decision = decide_recovery(recovered(Traffic("auth", [])), lambda value: value < 30)
    assert (decision.outcome, decision.value) == (RuleOutcome.INCONCLUSIVE, None)
