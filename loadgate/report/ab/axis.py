"""The axis on which the page draws changes, and the places of a change, its interval and its pairs on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgate.analysis.ab.result import Change
from loadgate.units import plain

WIDTH = 300.0
HEIGHT = 48.0
_EDGE = 8.0
"""Room at both ends, so that marks at the ends are whole."""

_INTERVAL_Y = 10.0
_PAIRS_Y = (20.0, 44.0)
"""The first pair is drawn at the top, and the last one at the bottom."""

_LABEL_WIDTH = 45.0
_LEAST = 1e-4
"""The least length of the axis."""

_FLOOR = -1.0
"""No latency can be more than 100 % faster, and no share can shrink by more."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high`, in the unit of the changes."""

    low: float
    high: float

    @classmethod
    def of(cls, changes: Iterable[Change], ignore: float, worse: float) -> Axis:
        """Return the axis that contains the margins and all intervals, and pairs that are not much farther away."""
        changes = list(changes)
        ends = [0.0, -ignore, worse]
        ends += [value for item in changes for value in (item.change, *_bounds(item)) if value is not None]
        low, high = min(ends), max(ends)
        room = max(high - low, _LEAST)
        values = [low, high, *(value for item in changes for value in item.pairs if value is not None)]
        low, high = max(low - room, min(values)), min(high + room, max(values))
        return cls(max(_FLOOR, low), max(high, low + _LEAST))

    def at(self, value: float) -> float:
        """Return the place of a value. A value beyond the axis is placed at its end."""
        share = (value - self.low) / (self.high - self.low)
        return round(_EDGE + min(1.0, max(0.0, share)) * (WIDTH - 2 * _EDGE), 1)

    def contains(self, value: float) -> bool:
        """Return whether a value is on the axis."""
        return self.low <= value <= self.high

    def ticks(self) -> list[tuple[float, str]]:
        """Return the place and the label of each tick, in percent or in percentage points."""
        span = (self.high - self.low) * 100
        step = _step(span * _LABEL_WIDTH / (WIDTH - 2 * _EDGE))
        first, last = math.ceil(self.low * 100 / step), math.floor(self.high * 100 / step)
        values = [round(number * step, 9) for number in range(first, last + 1)]
        return [(self.at(value / 100), f"{'+' if value > 0 else ''}{plain(value)}") for value in values]


@dataclass(frozen=True, slots=True)
class Dot:
    """The change of one pair. `is_beyond`: it is farther away than the end of the axis, where it is drawn."""

    x: float
    y: float
    is_beyond: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """The places of a change and of its margins on an axis.

    A place is None if the value is unknown. That of a margin is None if it is not on the axis.
    """

    change: float | None
    low: float | None
    high: float | None
    dots: list[Dot]
    ignore: float | None
    worse: float | None

    @classmethod
    def of(cls, item: Change, axis: Axis, margins: tuple[float, float]) -> Plot:
        """Return the places of a change. `margins`: what is ignored and what is worse."""
        change, low, high = (None if value is None else axis.at(value) for value in (item.change, *_bounds(item)))
        ignore, worse = (axis.at(value) if axis.contains(value) else None for value in margins)
        return cls(change, low, high, list(_dots(item.pairs, axis)), ignore, worse)

    @property
    def interval(self) -> str:
        """Return the path of the interval. An end without a bound reaches the end of the axis and has no cap."""
        if self.change is None or (self.low is None and self.high is None):
            return ""
        low, high = (0.0 if self.low is None else self.low), (WIDTH if self.high is None else self.high)
        caps = "".join(f"M{end} {_INTERVAL_Y - 4}v8" for end in (self.low, self.high) if end is not None)
        return f"M{low} {_INTERVAL_Y}H{high}{caps}"


def _bounds(item: Change) -> Sequence[float | None]:
    return (item.interval.low, item.interval.high) if item.interval is not None else (None, None)


def _dots(pairs: Sequence[float | None], axis: Axis) -> Iterable[Dot]:
    top, bottom = _PAIRS_Y
    step = (bottom - top) / max(1, len(pairs) - 1)
    for number, value in enumerate(pairs):
        if value is not None:
            yield Dot(axis.at(value), round(top + number * step, 1), not axis.contains(value))


def _step(least: float) -> float:
    """Return the smallest of 1, 2 or 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
