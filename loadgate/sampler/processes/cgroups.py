"""Read the memory and the throttling of cgroups of version 2. See "Control Group v2" of the Linux kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from loadgate.sampler.processes.linux import read_text

_MICROSECONDS = 1e-6


class CgroupState(NamedTuple):
    """The values of a cgroup. `None` if it has no such controller or no limit."""

    memory_bytes: float | None
    memory_limit_bytes: float | None
    throttled_s: float | None
    """The time for which processes were not allowed to run."""
    cores: float | None
    """The CPU seconds per second that it may use."""


class CpuPeriods(NamedTuple):
    """The periods of a CPU limit since the cgroup was created."""

    all: int
    throttled: int
    """Those in which the processes of the cgroup were stopped because they had used their CPU time."""


class Cgroups:
    """The cgroups below `mount`."""

    def __init__(self, mount: Path = Path("/sys/fs/cgroup")) -> None:
        self._mount = mount
        self.exist = (mount / "cgroup.controllers").is_file()

    def state(self, path: str) -> CgroupState:
        """Return the state of the cgroup at `path`, or of the nearest one above it that sets a limit.

        The root of the machine has no values. In a container, the root is the container and has them.
        """
        memory = self._nearest(path, "memory.max")
        cpu = self._nearest(path, "cpu.max")
        quota, _, period = (read_text(cpu / "cpu.max") or "").partition(" ")
        has_quota = quota.isdigit() and period.strip().isdigit()
        return CgroupState(
            memory_bytes=_number(memory / "memory.current"),
            memory_limit_bytes=_number(memory / "memory.max"),
            throttled_s=_throttled_s(cpu / "cpu.stat"),
            cores=int(quota) / int(period) if has_quota else None,
        )

    def cpu_periods(self, path: str) -> CpuPeriods | None:
        """Return the periods of the nearest CPU limit at or above `path`. `None` without one."""
        lines = (read_text(self._nearest(path, "cpu.max") / "cpu.stat") or "").splitlines()
        found = dict(line.split(maxsplit=1) for line in lines if line.startswith(("nr_periods ", "nr_throttled ")))
        return CpuPeriods(int(found["nr_periods"]), int(found["nr_throttled"])) if len(found) == 2 else None

    def _nearest(self, path: str, limit: str) -> Path:
        """Return the nearest folder whose file `limit` sets a limit, or else the folder at `path`."""
        for folder in self._upwards(path):
            if not (read_text(folder / limit) or "max").startswith("max"):
                return folder
        return self._mount / path.strip("/")

    def _upwards(self, path: str) -> Iterator[Path]:
        folder = self._mount / path.strip("/")
        yield folder
        while folder != self._mount and self._mount in folder.parents:
            folder = folder.parent
            yield folder


def _number(path: Path) -> float | None:
    text = (read_text(path) or "").strip()
    return float(text) if text.isdigit() else None


def _throttled_s(path: Path) -> float | None:
    for line in (read_text(path) or "").splitlines():
        if line.startswith("throttled_usec "):
            return int(line.split()[1]) * _MICROSECONDS
    return None
