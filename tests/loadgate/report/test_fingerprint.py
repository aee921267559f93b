"""Test what a run records of its machine, and which runs have the same fingerprint."""

import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from loadgate.report.fingerprint import fingerprint
from loadgate.report.this_machine import machine_class, software
from loadgate.rules import parse_rules
from loadgate.run.document.environment import FingerprintRecord, MachineClassRecord
from loadgate.run.plan import Plan
from loadgate.shape.profile import LoadProfile

MACHINE = MachineClassRecord(cpu="Model 5", usable_cores=2, cpu_limit=None, memory_limit_bytes=None)
PLAN = Plan(
    profile=LoadProfile(name="light", description="", users=5, spawn_rate=1, run_time="1m"),
    rules=tuple(parse_rules(["overall: p95 < 1s", "overall: failures < 1%"])),
    host="http://localhost",
    users=5,
    spawn_rate=1,
    run_time_s=60,
    stop_timeout_s=10,
    processes=1,
    user_classes={"Web": 1},
    suite_hash="abc",
)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def changed(plan: Plan, **values: object) -> set[str]:
    """Return the hashes that differ after a change of the plan."""
    before, after = fingerprint(MACHINE, plan), fingerprint(MACHINE, replace(plan, **values))
    return {name for name in FingerprintRecord.model_fields if getattr(before, name) != getattr(after, name)}


def test_a_machine_without_proc_and_sys_has_unknown_values(tmp_path: Path) -> None:
    found = machine_class(tmp_path)

    assert (found.cpu, found.cpu_limit, found.memory_limit_bytes) == (None, None, None)
    assert software(tmp_path).preloaded_allocator is None


@pytest.mark.parametrize(
    ("cpuinfo", "model"),
    [
        (
            "processor\t: 0\nmodel name\t: Example 9000 @ 3 GHz\n\nprocessor\t: 1\nmodel name\t: Other\n",
            "Example 9000 @ 3 GHz",
        ),
        ("processor: 0\nCPU implementer: 0x41\nCPU part: 0xd0c\n\n", "CPU implementer 0x41, CPU part 0xd0c"),
        ("cpu model\t\t: MIPS 24Kc\n", "MIPS 24Kc"),
        ("", None),
        ("processor without a colon", None),
    ],
)
def test_the_model_of_the_processor_is_read(tmp_path: Path, cpuinfo: str, model: str | None) -> None:
    assert machine_class(write(tmp_path, {"proc/cpuinfo": cpuinfo})).cpu == model


@pytest.mark.parametrize(
    ("files", "limits"),
    [
        ({"cpu.max": "150000 100000\n", "memory.max": "536870912\n"}, (1.5, 536870912)),
        ({"cpu.max": "max 100000\n", "memory.max": "max\n"}, (None, None)),
        ({"a/cpu.max": "max 100000\n", "cpu.max": "50000 100000\n", "a/memory.max": "1000\n"}, (0.5, 1000)),
        ({"cpu.max": "broken\n", "memory.max": "\n"}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_the_limits_of_the_cgroup_are_read(
    tmp_path: Path, files: dict[str, str], limits: tuple[float | None, int | None]
) -> None:
    own = {f"proc/{os.getpid()}/cgroup": "1:name=systemd:/x\n0::/a\n"}
    write(tmp_path, own | {f"sys/fs/cgroup/{name}": text for name, text in files.items()})

    found = machine_class(tmp_path)

    assert (found.cpu_limit, found.memory_limit_bytes) == limits


def test_cgroups_of_version_1_have_no_limits(tmp_path: Path) -> None:
    write(tmp_path, {f"proc/{os.getpid()}/cgroup": "4:memory:/a\n", "sys/fs/cgroup/memory.max": "1000"})

    assert machine_class(tmp_path).memory_limit_bytes is None


@pytest.mark.parametrize(
    ("preload", "maps", "found"),
    [
        ("/usr/lib/libjemalloc.so.2", "7f00 r-xp /usr/lib/libjemalloc.so.2\n", "libjemalloc.so.2"),
        ("libother.so:/opt/libtcmalloc_minimal.so.4", None, "libtcmalloc_minimal.so.4"),
        ("/missing/libjemalloc.so.2", "7f00 r-xp /usr/lib/libc.so.6\n", None),
        ("libother.so", None, None),
        ("", None, None),
    ],
)
def test_a_preloaded_allocator_is_named_if_it_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preload: str, maps: str | None, found: str | None
) -> None:
    monkeypatch.setenv("LD_PRELOAD", preload)
    monkeypatch.setenv("PYTHONMALLOC", "malloc")
    if maps is not None:
        write(tmp_path, {"proc/self/maps": maps})

    record = software(tmp_path)

    assert (record.preloaded_allocator, record.python_malloc) == (found, "malloc")
    assert record.kernel == platform.release()


def test_the_machine_of_this_test_has_cores() -> None:
    assert (machine_class().usable_cores or 1) >= 1


def test_each_hash_changes_with_its_own_part() -> None:
    assert changed(PLAN, host="http://other", processes=4) == set()
    assert changed(PLAN, users=6) == changed(PLAN, run_time_s=30) == {"profile", "test"}
    assert changed(PLAN, profile=replace(PLAN.profile, run_time="2m")) == {"profile", "test"}
    assert changed(PLAN, profile=replace(PLAN.profile, rules=["overall: p99 < 1s"], description="x")) == set()
    assert changed(PLAN, rules=PLAN.rules[::-1]) == set()
    assert changed(PLAN, rules=PLAN.rules[:1]) == {"rules", "test"}
    assert changed(PLAN, suite_hash="def") == {"suite", "test"}
    assert fingerprint(MACHINE, replace(PLAN, suite_hash=None)).test is None


def test_another_processor_or_limit_is_another_machine() -> None:
    hashes = [
        fingerprint(MACHINE.model_copy(update=update), PLAN).machine
        for update in ({}, {"cpu": "Model 6"}, {"usable_cores": 4}, {"cpu_limit": 1.5}, {"memory_limit_bytes": 10**9})
    ]

    assert len(set(hashes)) == 5
    assert all(len(one) == 12 for one in hashes)
