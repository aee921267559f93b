"""Test the values of the target's processes, with processes that exist only here."""

from __future__ import annotations

import math
from itertools import count
from pathlib import Path

import pytest

from loadgate.sampler import pace
from loadgate.sampler.configuration import Configuration, ProcessSource
from loadgate.sampler.pace import MAX_SHARE
from loadgate.sampler.processes import finding
from loadgate.sampler.processes.cgroups import Cgroups
from loadgate.sampler.processes.sampling import PSS_INTERVAL_S, PSS_MAX_SHARE, ProcessSampler
from tests.loadgate.sampler.fake_system import FakeSystem

PARTS = (ProcessSource("api", command="api"), ProcessSource("worker", command="worker"))
START_S = 1000.0


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    monkeypatch.setattr(finding, "MIN_INTERVAL_S", 0)
    monkeypatch.setattr(finding, "MAX_SHARE", math.inf)
    made = FakeSystem()
    made.add(10, 1, "root")
    made.add(11, 10, "api", cpu_s=50)
    made.add(20, 10, "worker", cpu_s=70, children_cpu_s=5)
    made.add(21, 20, "child", cpu_s=3)
    return made


class Sampling:
    """A sampler that is called once a second."""

    def __init__(self, system: FakeSystem, cgroups: Cgroups | None = None) -> None:
        self.notes: list[str] = []
        configuration = Configuration(pid=10, processes=PARTS)
        self.sampler = ProcessSampler(configuration, system, 99, self.notes.append, cgroups)
        self.now_s = START_S - 1

    def next(self) -> dict[tuple[str, str], float]:
        """Return the values of the next sample."""
        self.now_s += 1
        return {(found.resource, found.quantity): found.value for _, found in self.sampler.sample(self.now_s)}


def test_levels_are_summed_over_the_processes_of_a_part(system: FakeSystem) -> None:
    values = Sampling(system).next()
    assert values["api", "memory"] == 1000
    assert values["worker", "memory"] == 2000
    assert values["worker", "threads"] == 2
    assert values["worker", "open_files"] == 20
    assert ("worker", "cpu") not in values


def test_processes_that_take_long_to_read_are_read_less_often(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu_s = count(step=1.5 * MAX_SHARE)
    monkeypatch.setattr(pace.time, "thread_time", lambda: next(cpu_s))
    sampling = Sampling(system)
    assert sampling.next()
    system.change(11, cpu_s=51)
    assert sampling.next() == {}
    assert sampling.notes == ["the processes are not read every second, because that would take too much CPU time"]
    read = sampling.sampler.sample(START_S + 2)
    values = [(second, value.value) for second, value in read if value.quantity == "cpu"]
    assert values == [(1000, 0.5), (1001, 0.5), (1000, 0), (1001, 0)]
    assert not [*sampling.sampler.sample(START_S + 3)]
    assert [*sampling.sampler.sample(START_S + 3, is_last=True)]
    assert not [*sampling.sampler.sample(START_S - 3600)]
    sampling.sampler.forget()
    assert [*sampling.sampler.sample(START_S - 3600)]


def test_cpu_is_the_growth_since_the_last_sample(system: FakeSystem) -> None:
    sampling = Sampling(system)
    sampling.next()
    system.change(11, cpu_s=50.5)
    system.change(21, cpu_s=3.25)
    values = sampling.next()
    assert (values["api", "cpu"], values["worker", "cpu"]) == (0.5, 0.25)


def test_the_last_cpu_time_of_a_child_counts_once(system: FakeSystem) -> None:
    sampling = Sampling(system)
    sampling.next()
    del system.table[21]
    system.change(20, children_cpu_s=5 + 3 + 0.4)
    assert sampling.next()["worker", "cpu"] == pytest.approx(0.4)
    assert sampling.next()["worker", "cpu"] == 0


def test_a_child_whose_exit_nobody_reads_never_makes_the_growth_negative(system: FakeSystem) -> None:
    sampling = Sampling(system)
    sampling.next()
    del system.table[21]
    system.change(20, cpu_s=70.1)
    assert sampling.next()["worker", "cpu"] == pytest.approx(0.1)


def test_children_that_live_between_two_samples_count(system: FakeSystem) -> None:
    sampling = Sampling(system)
    sampling.next()
    system.change(20, children_cpu_s=5.75)
    assert sampling.next()["worker", "cpu"] == 0.75


def test_a_new_child_counts_from_its_start(system: FakeSystem) -> None:
    sampling = Sampling(system)
    sampling.next()
    system.add(22, 20, "child", cpu_s=0.3, age_s=0.5, started=1000)
    assert sampling.next()["worker", "cpu"] == pytest.approx(0.3)


def test_the_past_of_a_process_that_is_found_late_does_not_count(system: FakeSystem) -> None:
    sampling = Sampling(system)
    sampling.next()
    system.add(22, 20, "child", cpu_s=500, age_s=5000)
    assert sampling.next()["worker", "cpu"] == 0


def test_a_reused_process_id_is_another_process(system: FakeSystem) -> None:
    sampling = Sampling(system)
    sampling.next()
    system.add(21, 20, "child", cpu_s=0.2, age_s=0.5, started=2000)
    system.change(20, children_cpu_s=8)
    assert sampling.next()["worker", "cpu"] == pytest.approx(0.2)


def test_a_part_that_ends_is_a_gap_and_returns(system: FakeSystem) -> None:
    sampling = Sampling(system)
    sampling.next()
    api = system.table.pop(11)
    assert not [key for key in sampling.next() if key[0] == "api"]
    system.table[12] = api._replace(pid=12, started=3000, cpu_s=1)
    system.lines[12] = "api"
    values = sampling.next()
    assert values["api", "memory"] == 1000
    assert ("api", "cpu") not in values
    system.change(12, cpu_s=1.5)
    assert sampling.next()["api", "cpu"] == 0.5


def test_the_pss_is_read_once_a_minute_and_of_one_part_in_a_second(system: FakeSystem) -> None:
    sampling = Sampling(system)
    read = [{resource for resource, quantity in sampling.next() if quantity == "pss"} for _ in range(125)]
    assert [(second, *found) for second, found in enumerate(read) if found] == [
        (0, "api"),
        (1, "worker"),
        (60, "api"),
        (61, "worker"),
        (120, "api"),
        (121, "worker"),
    ]


def test_a_pss_that_takes_long_to_read_is_read_less_often(system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_s = [0.0]

    def read(pid: int) -> float:
        cpu_s[0] += 2 * PSS_INTERVAL_S * PSS_MAX_SHARE
        return 500.0

    monkeypatch.setattr(pace.time, "thread_time", lambda: cpu_s[0])
    monkeypatch.setattr(system, "pss_bytes", read)
    sampling = Sampling(system)
    seconds = [second for second in range(300) if ("api", "pss") in sampling.next()]
    assert seconds == [0, 120, 240]
    assert sampling.notes == []


def test_what_is_forbidden_is_a_gap_and_a_note(system: FakeSystem) -> None:
    sampling = Sampling(system)
    system.forbidden = {11}
    values = sampling.next()
    assert values["api", "memory"] == 1000
    assert ("api", "open_files") not in values
    assert values["worker", "open_files"] == 20
    assert (
        sampling.notes[0] == "open files of 'api' cannot be read, because one of its processes belongs to another user"
    )


def test_a_part_that_was_never_found_is_a_note(system: FakeSystem) -> None:
    del system.table[11]
    sampling = Sampling(system)
    sampling.next()
    list(sampling.sampler.end())
    problem = "its command matches none of the target's processes (3 searched)"
    advice = "correct command, or set port or pid_file instead"
    assert sampling.notes == [f"no process of 'api' was found: {problem}; {advice}"]


def test_parts_that_are_missing_for_one_reason_share_a_note(system: FakeSystem) -> None:
    system.table = {}
    sampling = Sampling(system)
    sampling.next()
    list(sampling.sampler.end())
    assert sampling.notes == ["no process of 'api' and 'worker' was found: the process of the target has ended"]


def test_a_system_without_anonymous_memory_is_noted(system: FakeSystem) -> None:
    sampling = Sampling(system)
    system.memory_note = "memory includes files"
    sampling.next()
    list(sampling.sampler.end())
    assert sampling.notes == ["memory includes files"]


def test_a_container_has_its_memory_limit_and_throttling(system: FakeSystem, tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    (folder / "memory.current").write_text("5000\n")
    (folder / "memory.max").write_text("9000\n")
    (folder / "cpu.max").write_text("50000 100000\n")
    (folder / "cpu.stat").write_text("throttled_usec 1000000\n")
    system.cgroups = {11: "/box"}
    sampling = Sampling(system, Cgroups(tmp_path))
    sampling.next()
    (folder / "cpu.stat").write_text("throttled_usec 1250000\n")
    values = sampling.next()
    assert values["api", "cgroup_memory"] == 5000
    assert values["api", "cgroup_memory.limit"] == 9000
    assert values["api", "cpu.limit"] == 0.5
    assert values["api", "cpu_throttled"] == 0.25
    assert ("worker", "cgroup_memory") not in values


def test_the_wait_for_a_cpu_core_is_the_growth_of_all_processes_of_a_part(system: FakeSystem) -> None:
    system.waited_s = {20: 5.0, 21: 1.0}
    sampling = Sampling(system)
    sampling.next()
    sampling.next()
    system.waited_s = {20: 5.25, 21: 1.5}
    values = sampling.next()
    assert values["worker", "cpu_wait.sum"] == 0.75
    assert ("api", "cpu_wait.sum") not in values


def test_a_thread_that_ends_does_not_make_the_wait_for_a_cpu_core_negative(system: FakeSystem) -> None:
    system.waited_s = {20: 5.0}
    sampling = Sampling(system)
    sampling.next()
    sampling.next()
    system.waited_s = {20: 2.0}
    assert sampling.next()["worker", "cpu_wait.sum"] == 0
