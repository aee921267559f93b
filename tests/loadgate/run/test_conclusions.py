"""Test the record of what a run shows in addition to its rules."""

from __future__ import annotations

from benchmarks.calibrate.conclusions.service import CPU, RAMP_S, SLOW_S, START_S, Cause, SimulatedService
from benchmarks.calibrate.conclusions.service import LENGTH_S as SIMULATED_S
from loadgate.analysis.causes.usual import MeasuredTarget
from loadgate.recorder import Recorder
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from loadgate.rules import WholeRun
from loadgate.run.conclusions import FinishedRun, conclusions
from loadgate.run.document.conclusions import EpisodeRecord
from loadgate.shape.profile import LoadProfile


def episodes(service: SimulatedService) -> list[EpisodeRecord]:
    run = FinishedRun(
        profile=LoadProfile("simulated", run_time=SIMULATED_S),
        recorder=service.recorder,
        target=service.target,
        facts=WholeRun(
            service.record,
            stages=[(START_S, "ramp"), (START_S + RAMP_S, "steady")],
            load_s=(START_S, START_S + SIMULATED_S),
        ),
    )
    return conclusions(run).episodes


def test_an_episode_has_the_wait_that_explains_it_and_its_share() -> None:
    found = episodes(SimulatedService(Cause.REDIS, seed=1))
    assert found
    for one in found:
        assert (one.explained_by, one.cause) == ("wait", "redis operation")
        assert one.share is not None
        assert one.share > 0.5


def test_an_episode_of_a_resource_that_got_no_cpu_is_explained_by_its_wait_for_a_cpu() -> None:
    service = SimulatedService(Cause.HOG, seed=1)
    used, waited = (
        ResourceColumn("api", quantity, ColumnKind.FLOW, ResourceUnit.SECONDS) for quantity in ("cpu", "cpu_wait.sum")
    )
    for second in range(*SLOW_S):
        service.record.put(START_S + second, {used: 0.2, waited: 0.8})
    found = episodes(service)
    assert found
    for one in found:
        assert (one.explained_by, one.cause, one.share) == ("wait", " ".join(CPU.key), None)
        assert "Meanwhile, api waited for a CPU: " in one.sentence


def test_an_episode_outside_the_target_has_no_cause() -> None:
    found = episodes(SimulatedService(Cause.OUTSIDE, seed=1))
    assert found
    assert {(one.explained_by, one.cause, one.share) for one in found} == {("nothing", None, None)}


def test_the_growth_of_a_quantity_is_told_in_words() -> None:
    record = ResourceRecord()
    for second in range(300):
        record.put(int(START_S) + second, {ResourceColumn("api", "open_files"): 40.0})
    run = FinishedRun(
        profile=LoadProfile("constant", run_time=300),
        recorder=Recorder(),
        target=MeasuredTarget(record),
        facts=WholeRun(record, stages=[(START_S, "steady")], load_s=(START_S, START_S + 300)),
    )
    (found,) = conclusions(run).growth
    assert found.quantity == "open_files"
    assert found.sentence.startswith("api open files showed no clear growth: 0/h ")
