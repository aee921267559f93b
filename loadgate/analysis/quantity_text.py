"""The words for the quantities of resources, and their amounts, for all sentences, tables and charts."""

from __future__ import annotations

from collections.abc import Callable

from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceUnit
from loadgate.resource_names import CPU
from loadgate.units import cores, figure, mean_count, per_second, quantity, size

_WORDS = {
    CPU: "CPU",
    "cpu_throttled": "CPU throttled",
    "cpu_wait.sum": "CPU wait",
    "loop_lag": "event-loop lag",
    "memory.collected": "memory after garbage collection",
    "pss": "PSS",
    "python_blocks": "Python blocks",
}
"""The words for any other quantity are its name with spaces."""

FORMATS: dict[tuple[ColumnKind, ResourceUnit], Callable[[float | None], str]] = {
    (ColumnKind.LEVEL, ResourceUnit.BYTES): size,
    (ColumnKind.LEVEL, ResourceUnit.SECONDS): lambda value: quantity(value, "s"),
    (ColumnKind.LEVEL, ResourceUnit.COUNT): mean_count,
    (ColumnKind.FLOW, ResourceUnit.BYTES): lambda value: f"{size(value)}/s",
    (ColumnKind.FLOW, ResourceUnit.SECONDS): lambda value: f"{figure(value)} s/s",
    (ColumnKind.FLOW, ResourceUnit.COUNT): per_second,
}
"""How values are written, by the kind and the unit of their column. CPU time per second is written in cores."""


def words(name: str) -> str:
    """Return the words for a quantity, as in `open files` for `open_files`."""
    return _WORDS.get(name) or name.replace("_", " ")


def subject(column: ResourceColumn) -> str:
    """Return the words for a quantity of a resource, as in `api open files`."""
    return f"{column.resource} {words(column.quantity)}"


def amount(column: ResourceColumn, value: float) -> str:
    """Return a value of a column, as in `312 MB`."""
    return cores(value) if column.quantity == CPU else FORMATS[column.kind, column.unit](value)
