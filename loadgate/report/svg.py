"""Small line charts over time as inline SVG, readable without scripts and in both colour schemes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 26
_MAX_POINTS = 400


@dataclass(frozen=True, slots=True)
class Line:
    """A series: points (seconds into the run, value), ascending; `colour` is the number of a palette entry, 1 to 6."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: int = 1


@dataclass(frozen=True, slots=True)
class Limit:
    """A dashed line across the chart."""

    label: str
    value: float
    colour: int = 1


def line_chart(title: str, unit: str, lines: Sequence[Line], limits: Sequence[Limit] = ()) -> str:
    """Return a figure with the lines, a legend and round axis labels; a sentence when there is nothing to draw."""
    lines = [line for line in lines if line.points]
    if not lines:
        return f"<figure><figcaption>{escape(title)}</figcaption><p>Nothing was recorded.</p></figure>"
    end_s = max(1.0, *(line.points[-1][0] for line in lines))
    highest = max(value for line in lines for _, value in line.points)
    near = [limit for limit in limits if limit.value <= highest * 3]
    top = nice_ceiling(max([highest, *(limit.value for limit in near)]))
    drawn = "".join(_polyline(line, end_s, top) for line in lines)
    drawn += "".join(_limit_line(limit, top) for limit in near)
    legend = " ".join(f'<span class="key c{line.colour}">{escape(line.label)}</span>' for line in lines)
    legend += "".join(f' <span class="key limit c{limit.colour}">{escape(limit.label)}</span>' for limit in limits)
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(unit)}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{_axes(end_s, top)}{drawn}</svg><div>{legend}</div></figure>"
    )


def nice_ceiling(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999999)


def _x(seconds: float, end_s: float) -> float:
    return _LEFT + seconds / end_s * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM)


def _polyline(line: Line, end_s: float, top: float) -> str:
    points = _thinned(line.points)
    path = " ".join(f"{_x(second, end_s):.1f},{_y(value, top):.1f}" for second, value in points)
    if len(points) == 1:
        x, y = path.split(",")
        return f'<circle class="c{line.colour}" cx="{x}" cy="{y}" r="3"/>'
    return f'<polyline class="c{line.colour}" points="{path}"/>'


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep the highest point of each equal part, so that no spike is lost."""
    size = -(-len(points) // _MAX_POINTS)
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [max(part, key=lambda point: point[1]) for part in parts]


def _limit_line(limit: Limit, top: float) -> str:
    y = _y(limit.value, top)
    return f'<line class="limit c{limit.colour}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _axes(end_s: float, top: float) -> str:
    parts = []
    for share in (0, 0.5, 1):
        y = _y(top * share, top)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * share:,.6g}</text>')
    step_s = nice_ceiling(end_s / 6)
    for number in range(int(end_s / step_s) + 1):
        x = _x(number * step_s, end_s)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{number * step_s:,.6g} s</text>')
    return "".join(parts)
