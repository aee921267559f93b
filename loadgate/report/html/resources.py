"""The resources of the target on the page: the data of their charts, and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from loadgate.report.html.grid import Grid
from loadgate.report.html.timeline import rows_of
from loadgate.report.resources import ResourceLine, load_figures
from loadgate.run.document import RunDocument
from loadgate.units import clock

_DIGITS = 4
"""Charts show three digits."""

COLOURS = 6
"""The number of colours for the lines of a chart."""

Row = tuple[str, ...]


def drawable(lines: Sequence[ResourceLine], grid: Grid) -> list[ResourceLine]:
    """Return the lines with values on the grid. Some quantities are measured only before and after the load."""
    return [
        line for line in lines if any(value is not None for value in line.over(grid.start_s, grid.width_s, grid.count))
    ]


def resource_charts(lines: Sequence[ResourceLine], grids: Sequence[Grid]) -> list[dict[str, Any]]:
    """Return the charts, the most important one first, with their lines on each grid.

    A chart has the lines of one quantity or of all waits. A resource has the same colour in all charts but the waits.
    """
    resources = list(dict.fromkeys(line.quantity.resource for line in lines))
    charts: dict[tuple[int, str, str], list[ResourceLine]] = {}
    for line in lines:
        quantity = line.quantity
        charts.setdefault((quantity.rank, quantity.chart, quantity.unit.axis), []).append(line)
    found = []
    for (_, title, axis), members in sorted(charts.items(), key=lambda item: item[0][0]):
        drawn, limits = [], []
        for number, line in enumerate(members):
            quantity, label = line.quantity, _name(line) if line.quantity.per else line.quantity.resource
            colour = number if quantity.per else resources.index(quantity.resource)
            values = [
                _rounded(line.over(grid.start_s, grid.width_s, grid.count), quantity.unit.factor) for grid in grids
            ]
            drawn.append({"label": label, "colour": colour, "values": values})
            if line.limit is not None:
                text = f"{label} limit {quantity.unit.text(line.limit)}"
                limits.append({"at": line.limit * quantity.unit.factor, "colour": colour, "label": text})
        found.append({"title": title, "axis": axis, "lines": drawn, "limits": limits})
    return found


def resource_figures(document: RunDocument, lines: Sequence[ResourceLine]) -> list[Row]:
    """Return rows with a name, and the mean, the maximum, the last value and the limit of a line under load."""
    return [
        (_name(line), *map(line.quantity.unit.text, (figures.mean, figures.max, figures.last, line.limit)))
        for line, figures in load_figures(document, lines)
    ]


def resource_tables(lines: Sequence[ResourceLine], grid: Grid, started_s: float) -> list[tuple[str, Row, list[Row]]]:
    """Return the charts as a table for each resource: its name, its quantities, and rows of a time and their values."""
    slots = rows_of(grid)
    times = [clock(slots.start_s + slot * slots.width_s - started_s) for slot in range(slots.count)]
    tables = []
    for resource, members in groupby(lines, key=lambda line: line.quantity.resource):
        shown = list(members)
        columns = [map(line.quantity.unit.text, line.over(slots.start_s, slots.width_s, slots.count)) for line in shown]
        tables.append((resource, tuple(line.quantity.label for line in shown), [*zip(times, *columns, strict=True)]))
    return tables


def _name(line: ResourceLine) -> str:
    return f"{line.quantity.resource} {line.quantity.label}"


def _rounded(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [None if value is None else _significant(value * factor) for value in values]


def _significant(value: float) -> float:
    """Return a value for a chart: rounded to four significant digits, but not before the decimal point."""
    if value.is_integer():
        return int(value)
    magnitude = math.floor(math.log10(abs(value)))
    return round(value, max(0, _DIGITS - 1 - magnitude))
