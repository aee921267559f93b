"""The axis on which the page draws changes, and the places of a change, its interval and its pairs on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgate.analysis.ab.result import Change
from loadgate.report.ticks import round_step
from loadgate.units import plain

WIDTH = 300.0
HEIGHT = 48.0
_EDGE = 12.0
"""Room at both ends, so that marks at the ends are whole."""

_INTERVAL_Y = 10.0
_PAIRS_Y = (20.0, 44.0)
"""The first pair is drawn at the top, and the last one at the bottom."""

_LABEL_WIDTH = 45.0
_LEAST = 1e-4
"""The least length of the axis."""

_REACH = 10
"""The axis reaches at most so many times the upper margin, because the margins must stay distinguishable."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What an axis shows: changes times `factor`. No change is below `floor`."""

    factor: float
    floor: float


SHARES = Scale(100.0, -1.0)
"""Percent. No latency can be more than 100 % faster, and no share can shrink by more."""

BYTES = Scale(1.0, -math.inf)


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high`, in the unit of the changes, with the margins of the comparison."""

    low: float
    high: float
    ignore: float
    worse: float
    scale: Scale = SHARES

    @classmethod
    def of(cls, changes: Iterable[Change], ignore: float, worse: float, scale: Scale = SHARES) -> Axis:
        """Return the axis that contains the margins, the intervals, and pairs that are not much farther away.

        It ends at `_REACH` times the upper margin on both sides. What is farther away is drawn at its end. Beyond the
        upper margin, there is room for its label.
        """
        changes = list(changes)
        ends = [-worse, 2 * worse]
        ends += [value for item in changes for value in (item.change, *_bounds(item)) if value is not None]
        low, high = min(ends), max(ends)
        room = max(high - low, _LEAST)
        values = [low, high, *(value for item in changes for value in item.pairs if value is not None)]
        reach = _REACH * max(worse, _LEAST)
        low, high = max(scale.floor, -reach, low - room, min(values)), min(reach, high + room, max(values))
        return cls(low, max(high, worse + (worse - low) / 4, low + _LEAST), ignore, worse, scale)

    def at(self, value: float) -> float:
        """Return the place of a value. A value beyond the axis is placed at its end."""
        share = (value - self.low) / (self.high - self.low)
        return round(_EDGE + min(1.0, max(0.0, share)) * (WIDTH - 2 * _EDGE), 1)

    def contains(self, value: float) -> bool:
        """Return whether a value is on the axis."""
        return self.low <= value <= self.high

    def ticks(self) -> list[tuple[float, str]]:
        """Return the place and the label of each tick."""
        factor = self.scale.factor
        span = (self.high - self.low) * factor
        step = round_step(span * _LABEL_WIDTH / (WIDTH - 2 * _EDGE))
        first, last = math.ceil(self.low * factor / step), math.floor(self.high * factor / step)
        values = [round(number * step, 9) for number in range(first, last + 1)]
        return [(self.at(value / factor), _signed(value)) for value in values]

    def margins(self) -> list[str]:
        """Return the labels of both margins, in the unit of the ticks: first `ignore`, then `worse`."""
        return [_signed(round(margin * self.scale.factor, 9)) for margin in (self.ignore, self.worse)]


@dataclass(frozen=True, slots=True)
class Dot:
    """The change of one pair. `is_beyond`: it is farther away than the end of the axis, where it is drawn."""

    x: float
    y: float
    is_beyond: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """The paths of a change and of its interval on an axis, and the places of its pairs and margins.

    An unknown path is empty. The place of a margin is None if it is not on the axis.
    """

    estimate: str
    interval: str
    dots: list[Dot]
    ignore: float | None
    worse: float | None

    @classmethod
    def of(cls, item: Change, axis: Axis, margins: tuple[float, float]) -> Plot:
        """Return the drawing of a change. `margins`: what is ignored and what is worse."""
        ignore, worse = (axis.at(value) if axis.contains(value) else None for value in margins)
        return cls(_estimate(item, axis), _interval(item, axis), list(_dots(item.pairs, axis)), ignore, worse)


def _estimate(item: Change, axis: Axis) -> str:
    """Return a diamond, or a triangle that points to a change beyond the axis."""
    if item.change is None:
        return ""
    x, y = axis.at(item.change), _INTERVAL_Y
    if axis.contains(item.change):
        return f"M{x} {y - 5}l5 5l-5 5l-5 -5z"
    return f"M{x} {y - 5}l{8 if item.change > axis.high else -8} 5L{x} {y + 5}z"


def _interval(item: Change, axis: Axis) -> str:
    """Return a line with a cap at each end that is a bound on the axis."""
    bounds = _bounds(item)
    if item.change is None or bounds == (None, None):
        return ""
    ends = [_end(bound, axis, unknown) for bound, unknown in zip(bounds, (0.0, WIDTH), strict=True)]
    caps = "".join(f"M{place} {_INTERVAL_Y - 4}v8" for place, is_bound in ends if is_bound)
    return f"M{ends[0][0]} {_INTERVAL_Y}H{ends[1][0]}{caps}"


def _end(bound: float | None, axis: Axis, unknown: float) -> tuple[float, bool]:
    """Return where the line of an interval ends, and whether this is its bound. The edge of the drawing is not."""
    if bound is None or axis.contains(bound):
        return (unknown, False) if bound is None else (axis.at(bound), True)
    return (WIDTH if bound > axis.high else 0.0), False


def _bounds(item: Change) -> tuple[float | None, float | None]:
    return (item.interval.low, item.interval.high) if item.interval is not None else (None, None)


def _dots(pairs: Sequence[float | None], axis: Axis) -> Iterable[Dot]:
    top, bottom = _PAIRS_Y
    step = (bottom - top) / max(1, len(pairs) - 1)
    for number, value in enumerate(pairs):
        if value is not None:
            yield Dot(axis.at(value), round(top + number * step, 1), not axis.contains(value))


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{plain(value)}"
