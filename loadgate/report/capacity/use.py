"""What a rate uses of the target: its CPU, its pools and its waits, and which of them are used up."""

from __future__ import annotations

from loadgate.report.capacity.document import LevelRecord, ResourceUse
from loadgate.resource_names import MACHINE
from loadgate.units import figure, given, milliseconds

CPU = "cpu"
USED_UP = 0.9
"""A resource has given out if at least this share of it was in use on average."""

OF_OTHERS = 0.5
"""If the target uses less than this share of the CPU in use, other processes use most of it."""

LONG_WAIT = 0.1
"""A wait is named if it makes up at least this share of the p95."""

MAX_WAITS = 3


def cpu_of(level: LevelRecord) -> float | None:
    """Return the CPU use of all parts of the target in cores. None if it was not measured."""
    used = [use.used for use in level.resources if use.quantity == CPU and use.resource != MACHINE]
    known = [value for value in used if value is not None]
    return sum(known) if known else None


def gave_out(level: LevelRecord) -> list[str]:
    """Return what was used up at a rate, or what the requests waited for, one clause each."""
    ordered = sorted(level.resources, key=lambda use: use.resource == MACHINE)
    cpu = cpu_of(level)
    clauses = [clause for use in ordered if (clause := _used_up(use, cpu))]
    least_ms = LONG_WAIT * (level.latencies.p95_ms or 0.0)
    waits = [(use.wait_ms, use) for use in ordered if use.wait_ms is not None and use.wait_ms >= least_ms > 0]
    waits.sort(key=lambda one: -one[0])
    clauses += [f"{use.resource} {use.quantity}: waits of {milliseconds(ms)}" for ms, use in waits[:MAX_WAITS]]
    return clauses


def _used_up(use: ResourceUse, cpu_of_target: float | None) -> str:
    if use.used is None or not use.limit or use.used < USED_UP * use.limit:
        return ""
    amount = f"{figure(use.used)} of {given(use.limit)}"
    if use.quantity != CPU:
        return f"{use.resource} {use.quantity} {amount}"
    if use.resource != MACHINE:
        return f"CPU of {use.resource} {amount} cores"
    # The load generator and other processes can use the CPU that a target on the same machine needs.
    is_of_others = cpu_of_target is not None and cpu_of_target < OF_OTHERS * use.used
    return f"CPU {amount} cores" + (f", of which the target used {figure(cpu_of_target)}" if is_of_others else "")
