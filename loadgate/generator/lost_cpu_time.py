"""Sample the CPU time that this process did not get: from the CPU limit of its container, and from its hypervisor."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import NamedTuple

from loadgate.run.health import CPU_WINDOW_S
from loadgate.sampler.processes.cgroups import Cgroups
from loadgate.sampler.processes.linux import LinuxSystem, read_text

_STEAL = 7
"""The place of the time for other virtual machines in the first line of /proc/stat. See proc(5)."""
_GUEST = 8
"""From this place on, /proc/stat repeats times that it has already counted."""


class CpuCounters(NamedTuple):
    """Counters at one moment. They never decrease. `None` if this machine does not have them."""

    periods: int | None
    """The number of periods of the CPU limit, usually of 100 ms."""
    throttled: int | None
    """The number of these periods in which the limit stopped the processes of the container."""
    stolen: int | None
    """The time in which a core was ready, but the hypervisor ran another virtual machine, in ticks of all cores."""
    ticks: int | None
    """The time of all cores."""


class CpuReader:
    """Reads the counters of this process's container and machine."""

    def __init__(self, proc: Path = Path("/proc"), cgroups: Cgroups | None = None) -> None:
        self._stat = proc / "stat"
        self._cgroups = cgroups or Cgroups()
        self._path = LinuxSystem(str(proc)).cgroup(os.getpid()) if self._cgroups.exist else None

    def read(self) -> CpuCounters:
        """Return the counters now."""
        periods = self._cgroups.cpu_periods(self._path) if self._path is not None else None
        times = [int(word) for word in (read_text(self._stat) or "").partition("\n")[0].split()[1:]]
        has_steal = len(times) > _STEAL
        return CpuCounters(
            periods=periods.all if periods is not None else None,
            throttled=periods.throttled if periods is not None else None,
            stolen=times[_STEAL] if has_steal else None,
            ticks=sum(times[:_GUEST]) if has_steal else None,
        )


class LostCpuTime:
    """The largest shares of lost CPU time over any `CPU_WINDOW_S`. A share is `None` if it is unknown."""

    def __init__(self, reader: CpuReader) -> None:
        self._reader = reader
        self._window: deque[tuple[float, CpuCounters]] = deque()
        self._peak_throttled: float | None = None
        self._peak_stolen: float | None = None

    def note(self, now_s: float) -> None:
        """Read the counters. Call it every second, with a time of a monotonic clock."""
        self._window.append((now_s, self._reader.read()))
        while len(self._window) > 2 and now_s - self._window[1][0] >= CPU_WINDOW_S:
            self._window.popleft()
        if now_s - self._window[0][0] >= CPU_WINDOW_S:
            throttled, stolen = self._shares()
            self._peak_throttled = _larger(self._peak_throttled, throttled)
            self._peak_stolen = _larger(self._peak_stolen, stolen)

    def throttled_share(self) -> float | None:
        """Return the share of the periods of the CPU limit in which this process was stopped."""
        return self._peak_throttled if self._peak_throttled is not None else self._shares()[0]

    def stolen_share(self) -> float | None:
        """Return the share of the time of all cores that the hypervisor gave to other virtual machines."""
        return self._peak_stolen if self._peak_stolen is not None else self._shares()[1]

    def _shares(self) -> tuple[float | None, float | None]:
        """Return the shares over the window, which is shorter than `CPU_WINDOW_S` in a short run."""
        if not self._window:
            return None, None
        (_, first), (_, last) = self._window[0], self._window[-1]
        return (
            _share(first.throttled, last.throttled, first.periods, last.periods),
            _share(first.stolen, last.stolen, first.ticks, last.ticks),
        )


def _share(part_before: int | None, part: int | None, whole_before: int | None, whole: int | None) -> float | None:
    if part_before is None or part is None or whole_before is None or whole is None:
        return None
    passed = whole - whole_before
    return min(1.0, max(0, part - part_before) / passed) if passed > 0 else 0.0


def _larger(known: float | None, found: float | None) -> float | None:
    return known if found is None else max(known or 0.0, found)
