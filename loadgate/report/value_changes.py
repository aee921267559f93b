"""Texts of values and of their changes between runs. Shares are fractions, and change by a difference of shares."""

from __future__ import annotations

from loadgate.rules import Unit
from loadgate.units import UNKNOWN, change, change_range, figure, percentage, points, quantity


def value_text(unit: Unit, value: float | None) -> str:
    """Return a value with its unit."""
    if unit is Unit.PERCENT:
        return percentage(value)
    return quantity(value, unit) if unit else figure(value)


def change_text(unit: Unit, value: float | None) -> str:
    """Return a change, as in `+8.20 %` or `+0.500 points`."""
    if value is None:
        return UNKNOWN
    return points(value) if unit is Unit.PERCENT else change(value)


def interval_text(unit: Unit, low: float | None, high: float | None) -> str:
    """Return the interval of a change, as in `+9.10 to +14.9 %`. "-" if both bounds are unknown."""
    if low is None and high is None:
        return UNKNOWN
    return change_range(low, high, of_share=unit is Unit.PERCENT)


def json_unit(unit: Unit) -> str:
    """Return the unit of values in JSON: that of the rule, or `fraction` for shares."""
    return "fraction" if unit is Unit.PERCENT else unit.value
