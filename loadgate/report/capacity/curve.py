"""The curves of the page: latencies and CPU over the rate, as paths of an SVG image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadgate.report.capacity.conclusion import figure_of
from loadgate.report.capacity.document import CapacityDocument, LevelRecord
from loadgate.report.capacity.use import cpu_of
from loadgate.report.ticks import log_ticks, ticks_from_0
from loadgate.units import figure, milliseconds

WIDTH, HEIGHT = 640.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 44.0, 22.0, 28.0
_MIN_DISTANCE = 44.0
"""Labels of rates that are closer are left out."""

MOST_TICKS = 9
LEAST = 1e-3
"""A smaller value is drawn like this one, in milliseconds or cores."""

Value = Callable[[LevelRecord], float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: its name, its path, and its points with their labels."""

    name: str
    css: str
    path: str
    points: list[tuple[float, float, str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over the rate, with labels of both axes, and the places of the bounds. A bound is None if unknown."""

    title: str
    lines: list[Line]
    rates: list[tuple[float, str]]
    values: list[tuple[float, str]]
    holds: float | None
    breaks: float | None


def charts(document: CapacityDocument) -> list[Chart]:
    """Return the curves of latencies, and of the CPU if it was measured. Without two rates, there are none."""
    levels = document.levels
    if len(levels) < 2:
        return []
    latencies: list[tuple[str, str, Value]] = [
        ("p50", "p50", lambda level: level.latencies.p50_ms),
        ("p95", "p95", lambda level: level.latencies.p95_ms),
        ("p99", "p99", lambda level: level.latencies.p99_ms),
    ]
    found = [_chart("Latency", document, latencies, milliseconds, is_log=True)]
    found.append(_chart("CPU cores", document, [("CPU", "cpu", cpu_of)], figure, is_log=False))
    return [chart for chart in found if any(line.path for line in chart.lines)]


def _chart(
    title: str,
    document: CapacityDocument,
    curves: Sequence[tuple[str, str, Value]],
    shown: Callable[[float], str],
    *,
    is_log: bool,
) -> Chart:
    levels = document.levels
    known = [value for level in levels for *_, value_of in curves if (value := value_of(level)) is not None]
    scale = (lambda value: math.log(max(value, LEAST))) if is_log else float
    highest, lowest = max([*known, LEAST]), max(LEAST, min(known, default=LEAST))
    ticks = log_ticks(lowest, highest, MOST_TICKS) if is_log else ticks_from_0(highest, MOST_TICKS)
    low, high = scale(ticks[0]), scale(ticks[-1])
    first, last = (math.log(levels[at].rate_per_s) for at in (0, -1))

    def x(rate_per_s: float) -> float:
        share = (math.log(rate_per_s) - first) / max(last - first, 1e-9)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        share = (scale(value) - low) / max(high - low, 1e-9)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    lines = []
    for name, css, value_of in curves:
        points = [
            (x(level.rate_per_s), y(value), f"{name} at {figure_of(level.rate_per_s)}/s: {shown(value)}")
            for level in levels
            if (value := value_of(level)) is not None
        ]
        path = " ".join(f"{'L' if number else 'M'}{left} {top}" for number, (left, top, _) in enumerate(points))
        lines.append(Line(name, css, path, points))
    values = [(y(tick), shown(tick)) for tick in ticks]
    result = document.result
    holds, breaks = (None if rate is None else x(rate) for rate in (result.holds_per_s, result.breaks_per_s))
    return Chart(title, lines, _rate_labels([(x(one.rate_per_s), one) for one in levels]), values, holds, breaks)


def _rate_labels(places: Sequence[tuple[float, LevelRecord]]) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for left, level in places:
        if not found or left - found[-1][0] >= _MIN_DISTANCE:
            found.append((left, figure_of(level.rate_per_s)))
    return found
