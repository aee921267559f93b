"""Test that a slow part of a run is explained by the wait that caused it, and by nothing else."""

import random

import pytest

from benchmarks.calibrate.conclusions.__main__ import is_right
from benchmarks.calibrate.conclusions.service import POOL, Cause, SimulatedService, explained
from loadgate.analysis.causes.attribution import Attribution, attribute, explain
from loadgate.analysis.causes.episodes import Episode, find_episodes, steady_band
from loadgate.analysis.causes.text import episode_sentence
from loadgate.analysis.causes.usual import MeasuredTarget, Usual
from loadgate.analysis.causes.waits import Wait, WaitKind
from loadgate.analysis.recovery.band import Band
from loadgate.analysis.traffic import Span, Traffic
from loadgate.recorder import TimeSlot, Totals
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from tests.loadgate.analysis.made_traffic import START_S, second_of, traffic_of

SLOW = range(80, 100)
LOADED = Span(START_S, START_S + 160)
BASE = [Span(START_S, START_S + 80), Span(START_S + 100, START_S + 160)]
EPISODE = Episode("auth", Span(START_S + 80, START_S + 100), 400, 100, 500, 1000, 0)


@pytest.mark.parametrize("cause", Cause)
def test_the_cause_of_a_simulated_slow_part_is_named(cause: Cause) -> None:
    assert is_right(cause, explained(SimulatedService(cause, seed=50)))


def slow_group(scope: str, added_ms: float, seed: int = 1) -> Traffic:
    rnd = random.Random(seed)

    def made(second: int) -> Totals:
        return second_of(rnd, rnd.randint(40, 60), median_ms=100 + (added_ms if second in SLOW else 0))

    return Traffic(scope, [TimeSlot(START_S + second, 1, made(second)) for second in range(160)])


def record_of(
    columns: dict[tuple[str, str], tuple[float, float]], kind: ColumnKind = ColumnKind.FLOW
) -> ResourceRecord:
    """Values of (usual, slow) seconds."""
    record = ResourceRecord()
    for second in range(160):
        record.put(
            START_S + second,
            {
                ResourceColumn(*key, kind, ResourceUnit.SECONDS): slow if second in SLOW else usual
                for key, (usual, slow) in columns.items()
            },
        )
    return record


def pool_wait(slow_s: float, waits: float = 50.0) -> ResourceRecord:
    """A wait of `slow_s` per second in the slow part."""
    return record_of({("database", "wait.sum"): (0.0, slow_s), ("database", "wait.count"): (waits, waits)})


def attributed(record: ResourceRecord, *groups: Traffic) -> Attribution:
    return attribute(EPISODE, Usual(BASE, groups, MeasuredTarget(record, [POOL], {"api": 1.0})))


def test_the_share_is_the_part_of_the_lost_time() -> None:
    found = attributed(pool_wait(10.0), slow_group("auth", 300))
    assert found.shares[0].share == pytest.approx(10 / 15, abs=0.05)
    assert found.cause is found.shares[0]


def test_half_as_much_does_not_explain_it_but_is_told() -> None:
    found = attributed(pool_wait(5.0), slow_group("auth", 300))
    assert found.cause is None
    sentence = episode_sentence(found, START_S)
    assert sentence.startswith(
        "auth left its band at 1:20 for 20 s: its mean latency rose by 300 ms. Nothing measured explains this. "
    )
    assert "Only a part was spent waiting for a database connection (3" in sentence


def test_waits_of_other_clients_never_explain_more_than_everything() -> None:
    assert attributed(pool_wait(500.0), slow_group("auth", 300)).shares[0].share == 1


def test_two_groups_that_are_slow_for_different_reasons_weaken_each_other() -> None:
    found = attributed(pool_wait(10.0), slow_group("auth", 300), slow_group("tasks", 300, seed=1))
    assert found.shares[0].share == pytest.approx(10 / 30, abs=0.05)


def test_a_group_that_became_faster_does_not_help() -> None:
    found = attributed(pool_wait(10.0), slow_group("auth", 300), slow_group("tasks", -50, seed=2))
    assert found.shares[0].share == pytest.approx(10 / 15, abs=0.05)


def test_a_group_that_does_not_use_a_wait_is_not_blamed_on_it() -> None:
    auth, health = slow_group("auth", 300, seed=1), slow_group("health", 300, seed=2)
    record = ResourceRecord()
    for second, slot in enumerate(auth.slots):
        wait_s = 15.0 if second in SLOW else 0.0
        values = {"wait.sum": wait_s, "wait.count": float(slot.totals.requests)}
        record.put(
            START_S + second,
            {ResourceColumn("database", name, ColumnKind.FLOW): value for name, value in values.items()},
        )
    target = MeasuredTarget(record, [POOL])
    found = {one.episode.scope: one for one in explain(auth, [auth, health], LOADED, target)}
    assert found["auth"].shares[0].share > 0.9
    assert found["health"].shares[0].share == 0


def test_a_saturated_cpu_is_named_but_not_as_a_measured_wait() -> None:
    found = attributed(record_of({("api", "cpu"): (0.4, 0.99)}), slow_group("auth", 300))
    assert found.cause is None
    sentence = episode_sentence(found, START_S)
    assert (
        "Meanwhile, the CPU of api was saturated: 0.990 of 1.00 cores in use, 0.400 before. "
        "No measured wait explains the rise." in sentence
    )


def test_a_saturated_machine_is_not_named_if_its_effect_is_measured() -> None:
    waited = Wait("api", "cpu_wait", "waiting for a CPU", WaitKind.CPU)
    flows = {("api", "cpu"): (0.05, 0.05), ("api", "cpu_wait.sum"): (0.001, 0.001), ("machine", "cpu"): (1.7, 2.0)}
    target = MeasuredTarget(record_of(flows), [waited], {"api": 1.0, "machine": 2.0})
    (found,) = explain(Traffic("overall", []), [slow_group("auth", 300)], LOADED, target)
    assert found.saturated is None
    assert "Nothing measured explains this." in episode_sentence(found, START_S)


def test_a_cpu_that_was_saturated_before_as_well_is_neither_named_nor_ruled_out() -> None:
    busy = {("api", "cpu"): (0.97, 0.98), ("worker", "cpu"): (0.2, 0.2)}
    target = MeasuredTarget(record_of(busy), [POOL], {"api": 1.0, "worker": 1.0})
    traffic = slow_group("auth", 300)
    (found,) = explain(Traffic("overall", []), [traffic], LOADED, target)
    assert found.saturated is None
    assert episode_sentence(found, START_S).endswith("Not the cause: CPU of worker (20 % used).")


def test_what_rose_is_worded_as_no_cause() -> None:
    found = attributed(record_of({("queue", "oldest_task"): (10.0, 40.0)}, ColumnKind.LEVEL), slow_group("auth", 300))
    said = "Higher at the same time, which does not show a cause: queue oldest task (40.0 s instead of 10.0 s)."
    assert said in episode_sentence(found, START_S)


def test_without_resources_nothing_is_explained() -> None:
    found = attributed(ResourceRecord(), slow_group("auth", 300))
    assert (found.shares, found.cpu, found.rises, found.cause) == ((), (), (), None)


def band_of(traffic: Traffic) -> Band:
    band = steady_band(traffic, LOADED)
    assert isinstance(band, Band)
    return band


def test_an_episode_has_the_time_of_the_slow_requests() -> None:
    traffic = slow_group("auth", 300)
    (episode,) = find_episodes(traffic, LOADED, band_of(traffic))
    assert episode.span == Span(START_S + 80, START_S + 100)
    assert episode.added_ms == pytest.approx(300, abs=5)


def test_many_excursions_do_not_hide_each_other() -> None:
    # Six of 21 seconds are slow, so half of the windows of 5 s contain a slow second.
    traffic = traffic_of(
        lambda rnd, second: second_of(rnd, 50, median_ms=150.0 if second % 21 >= 15 else 100.0, sigma=0.2),
        seconds=9 * 21 + 15,
    )
    steady = Span(START_S, START_S + 9 * 21 + 15)
    band = steady_band(traffic, steady)
    assert isinstance(band, Band)
    # The p95 of the base is 139 ms, and that of the excursions 208 ms.
    assert 139 < band.limit_ms < 170
    assert len(find_episodes(traffic, steady, band)) == 9


@pytest.mark.parametrize("slow", [range(4), range(86, 90)], ids=["start", "end"])
def test_an_excursion_that_the_start_or_the_end_cuts_off_is_no_part_of_the_base(slow: range) -> None:
    traffic = traffic_of(
        lambda rnd, second: second_of(rnd, 50, median_ms=300.0 if second in slow else 100.0), seconds=90
    )
    band = steady_band(traffic, Span(START_S, START_S + 90))
    assert isinstance(band, Band)
    assert not any(Span(START_S + slow.start, START_S + slow.stop).overlaps(span) for span in band.base)
    assert band.limit_ms < 130


def test_a_level_that_is_slow_most_of_the_time_is_not_an_excursion() -> None:
    traffic = traffic_of(
        lambda rnd, second: second_of(rnd, 50, median_ms=100.0 if second % 40 < 15 else 200.0), seconds=200
    )
    steady = Span(START_S, START_S + 200)
    band = steady_band(traffic, steady)
    assert isinstance(band, Band)
    assert find_episodes(traffic, steady, band) == []


def test_a_scope_without_an_excursion_has_no_episode() -> None:
    traffic = slow_group("auth", 0)
    assert find_episodes(traffic, LOADED, band_of(traffic)) == []


def test_all_requests_are_left_out_where_a_group_says_more() -> None:
    auth = slow_group("auth", 300)
    overall = Traffic("overall", auth.slots)
    target = MeasuredTarget(pool_wait(10.0), [POOL])
    assert [one.episode.scope for one in explain(overall, [auth], LOADED, target)] == ["auth"]
    assert [one.episode.scope for one in explain(overall, [], LOADED, target)] == ["overall"]
    assert explain(Traffic("overall", []), [], LOADED, target) == []
