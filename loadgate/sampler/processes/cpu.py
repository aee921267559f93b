"""The CPU time of a part of the target, including that of processes that end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from loadgate.sampler.processes.system import Process

YOUNG_S = 10.0
"""A process that is at least this old when it is first seen is not new. Its past CPU time is not counted."""


def is_young(process: Process) -> bool:
    """Return whether a process that is seen for the first time has probably just been started."""
    return process.age_s < YOUNG_S


def cpu_growth(
    members: Iterable[Process], before: Mapping[int, Process], gone: Iterable[Process], passed_s: float
) -> float:
    """Return the CPU seconds that a part has used since the last reading.

    `before` has the last state of every measured process, and `gone` the last states of those that have ended since.
    When a process has read the exit of its child, its `children_cpu_s` grows by the whole CPU time of the child. The
    part of it that was counted while the child ran is subtracted.
    """
    counted: dict[int, float] = {}
    for process in gone:
        counted[process.parent] = counted.get(process.parent, 0.0) + process.cpu_s + process.children_cpu_s
    grown = 0.0
    for process in members:
        last = before.get(process.pid)
        if last is not None and process.is_same(last):
            from_children = process.children_cpu_s - last.children_cpu_s - counted.get(process.pid, 0.0)
            grown += process.cpu_s - last.cpu_s + max(0.0, from_children)
        elif is_young(process):
            # Only the share of the time since the last reading, because the process may have been found late.
            grown += process.cpu_s * min(1.0, passed_s / max(process.age_s, passed_s))
    return max(0.0, grown)
