"""Test the reading of cgroups in a folder that looks like theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgate.sampler.processes.cgroups import Cgroups, CgroupState


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 1\n")
    return tmp_path


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(f"{text}\n")


def test_a_container_has_memory_limits_and_throttling(mount: Path) -> None:
    write(
        mount / "a/b",
        memory_current="1000",
        memory_max="4000",
        cpu_max="150000 100000",
        cpu_stat="usage_usec 5\nnr_periods 9\nthrottled_usec 2500000",
    )
    assert Cgroups(mount).state("/a/b") == CgroupState(1000, 4000, 2.5, 1.5)


def test_the_nearest_limit_counts_with_the_memory_below_it(mount: Path) -> None:
    write(mount / "a", memory_current="3000", memory_max="4000", cpu_max="max 100000")
    write(mount / "a/b", memory_current="1000", memory_max="max", cpu_max="max 100000", cpu_stat="throttled_usec 0")
    assert Cgroups(mount).state("/a/b") == CgroupState(3000, 4000, 0.0, None)


def test_the_root_of_the_machine_has_no_values(mount: Path) -> None:
    assert Cgroups(mount).state("/") == CgroupState(None, None, None, None)


def test_a_path_outside_of_this_namespace_has_no_values(mount: Path) -> None:
    assert Cgroups(mount).state("/../../other") == CgroupState(None, None, None, None)


def test_without_cgroups_of_version_2_there_are_none(tmp_path: Path) -> None:
    assert not Cgroups(tmp_path).exist
