"""The CPU time that a generator lost to the limit of its container or to other virtual machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadgate.generator.lost_cpu_time import CpuCounters, CpuReader, LostCpuTime
from loadgate.sampler.processes.cgroups import Cgroups

NOTHING = CpuCounters(None, None, None, None)


class Made(CpuReader):
    """Counters as a test sets them."""

    def __init__(self) -> None:
        self.now = CpuCounters(0, 0, 0, 0)

    def read(self) -> CpuCounters:
        return self.now


def shares(made: Made, lost: LostCpuTime, seconds: list[tuple[int, int]]) -> tuple[float | None, float | None]:
    """Let seconds pass, each with 10 periods and 200 ticks, of which these are (throttled, stolen)."""
    for second, (throttled, stolen) in enumerate(seconds, start=1):
        periods, so_far, taken, ticks = (value or 0 for value in made.now)
        made.now = CpuCounters(periods + 10, so_far + throttled, taken + stolen, ticks + 200)
        lost.note(float(second))
    return lost.throttled_share(), lost.stolen_share()


def test_a_quiet_machine_loses_nothing() -> None:
    made = Made()
    lost = LostCpuTime(made)
    assert (lost.throttled_share(), lost.stolen_share()) == (None, None)
    lost.note(0.0)
    assert shares(made, lost, [(0, 0)] * 30) == (0.0, 0.0)


def test_the_worst_ten_seconds_count() -> None:
    made = Made()
    lost = LostCpuTime(made)
    lost.note(0.0)
    seconds = [(0, 0)] * 20 + [(5, 40)] * 10 + [(0, 0)] * 60
    assert shares(made, lost, seconds) == (pytest.approx(0.5), pytest.approx(0.2))


def test_a_run_shorter_than_the_window_has_its_mean() -> None:
    made = Made()
    lost = LostCpuTime(made)
    lost.note(0.0)
    assert shares(made, lost, [(0, 0), (10, 200)]) == (pytest.approx(0.5), pytest.approx(0.5))


def test_counters_that_are_not_there_are_unknown() -> None:
    made = Made()
    made.now = NOTHING
    lost = LostCpuTime(made)
    for second in range(30):
        lost.note(float(second))
    assert (lost.throttled_share(), lost.stolen_share()) == (None, None)


def test_counters_are_read_from_the_container_and_the_machine(tmp_path: Path) -> None:
    proc, mount = tmp_path / "proc", tmp_path / "cgroup"
    own = proc / str(os.getpid())
    own.mkdir(parents=True)
    (own / "cgroup").write_text("1:cpu:/other\n0::/pod/container\n")
    (proc / "stat").write_text("cpu  100 10 50 800 5 0 5 30 70 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    (mount / "pod/container").mkdir(parents=True)
    (mount / "cgroup.controllers").write_text("cpu\n")
    (mount / "pod/cpu.max").write_text("50000 100000\n")
    (mount / "pod/cpu.stat").write_text("usage_usec 9\nnr_periods 40\nnr_throttled 7\nthrottled_usec 300\n")
    (mount / "pod/container/cpu.max").write_text("max 100000\n")
    assert CpuReader(proc, Cgroups(mount)).read() == CpuCounters(40, 7, 30, 1000)


def test_another_system_has_no_counters(tmp_path: Path) -> None:
    assert CpuReader(tmp_path, Cgroups(tmp_path)).read() == NOTHING
