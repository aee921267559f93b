"""Measure the CPU use of the whole machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

from loadgate.resource_names import MACHINE
from loadgate.sampler.flow import Flow
from loadgate.sampler.processes.system import System
from loadgate.sampler.readings import FLOW, LEVEL, SECONDS, Reading


class MachineSampler:
    """The CPU time of all cores."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._flow = Flow()
        self._cores = os.cpu_count() or 1
        self._last: tuple[float, float] | None = None

    def sample(self, now_s: float) -> Iterator[tuple[int, Reading]]:
        """Return (epoch second, value) of everything that is known at `now_s` (epoch seconds)."""
        cpu_s = self._system.machine_cpu_s()
        yield int(now_s), Reading(MACHINE, "cpu.limit", LEVEL, SECONDS, self._cores)
        if self._last is not None:
            last_s, last_cpu_s = self._last
            yield from self._rows(self._flow.add(last_s, now_s, max(0.0, cpu_s - last_cpu_s)))
        self._last = now_s, cpu_s

    def end(self) -> Iterator[tuple[int, Reading]]:
        """Return the values of the last second."""
        yield from self._rows(self._flow.end())

    def forget(self) -> None:
        """Start the difference anew, because the clock was set."""
        self._last = None

    def _rows(self, values: Iterator[tuple[int, float]]) -> Iterator[tuple[int, Reading]]:
        for second, rate in values:
            yield second, Reading(MACHINE, "cpu", FLOW, SECONDS, round(rate, 6))
