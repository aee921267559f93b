"""The current use of the target's resources, in one line or a few."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate.recorder.resources import ColumnKind, ResourceRecord
from loadgate.report.quantities import Quantity, by_resource, quantities, real_limit
from loadgate.run.document.parts import Part

RECENT_S = 10
"""A value that is older is not shown. Amounts per second and waits are means over this time."""

_SEPARATOR = " · "

_LIMIT_BONUS = 2
"""A quantity with a limit, such as the connections of a pool, is shown before others."""


class ResourceReading(Part):
    """The current value of a quantity of a resource, with its limit, if there is one.

    `unit` is `bytes`, `cores`, `s`, `count` or one of them per second.
    """

    resource: str
    quantity: str
    value: float
    limit: float | None
    unit: str
    priority: int
    """Readings with lower numbers are shown first if there is little space."""
    text: str


def readings(record: ResourceRecord, now_s: float) -> list[ResourceReading]:
    """Return the values of the quantities of the latest RECENT_S seconds, by resource and importance.

    The cost does not grow with the length of the run.
    """
    found = []
    measured = quantities(record.columns)
    resources = list(dict.fromkeys(quantity.resource for quantity in measured))
    for quantity in measured:
        if quantity.is_detail or (value := _value(record, quantity, int(now_s) - RECENT_S)) is None:
            continue
        limit = real_limit(record.latest(quantity.limit.amount) if quantity.limit else None)
        found.append(
            ResourceReading(
                resource=quantity.resource,
                quantity=quantity.name,
                value=value,
                limit=limit,
                unit=quantity.unit.name,
                priority=quantity.rank + resources.index(quantity.resource) - (_LIMIT_BONUS if limit else 0),
                text=quantity.text(value, limit),
            )
        )
    return found


def readings_line(shown: Sequence[ResourceReading], columns: int | None = None) -> str:
    """Return the readings in one line of at most `columns`. Those that do not fit are omitted. "" if none fits."""
    return "".join(readings_lines(shown, columns, 1))


def readings_lines(shown: Sequence[ResourceReading], columns: int | None, lines: int) -> list[str]:
    """Return the readings in at most `lines` lines of at most `columns`. Those that do not fit are omitted.

    Important ones are kept: the first resources, their CPU and memory, and quantities with a limit.
    """
    kept: set[int] = set()
    fitting: list[str] = []
    for place in sorted(range(len(shown)), key=lambda place: shown[place].priority):
        tried = _packed([shown[at] for at in sorted(kept | {place})], columns)
        if columns is None or (len(tried) <= lines and max(map(len, tried)) <= columns):
            kept.add(place)
            fitting = tried
    return fitting


def _packed(shown: Sequence[ResourceReading], columns: int | None) -> list[str]:
    """Return the readings in lines of at most `columns`, but never part a resource."""
    lines: list[str] = []
    for parts in by_resource((reading.resource, reading.text) for reading in shown):
        text = " ".join(parts)
        if lines and (columns is None or len(lines[-1]) + len(_SEPARATOR) + len(text) <= columns):
            lines[-1] += _SEPARATOR + text
        else:
            lines.append(text)
    return lines


def _value(record: ResourceRecord, quantity: Quantity, since_s: int) -> float | None:
    mean = record.mean_since(quantity.amount, since_s)
    if mean is None:
        return None
    if quantity.per is not None:
        per = record.mean_since(quantity.per, since_s)
        return mean / per if per else None
    return record.latest(quantity.amount) if quantity.amount.kind is ColumnKind.LEVEL else mean
