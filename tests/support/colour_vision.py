"""The colours of the report as people with normal, protan and deutan vision see them, and how much they differ.

Sources: G. M. Machado, M. M. Oliveira and L. A. F. Fernandes, "A Physiologically-based Model for Simulation of Color
Vision Deficiency", IEEE TVCG 15 (2009), severity 1.0; CIEDE2000 after G. Sharma, W. Wu and E. N. Dalal, Color Research
and Application 30 (2005).

Run `python -m tests.support.colour_vision` to print the smallest difference of each chart, vision and theme.
"""

from __future__ import annotations

import re
from itertools import combinations
from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

from loadgate.report.html.assembly import PAGE

Triple = tuple[float, float, float]
Matrix = tuple[Triple, Triple, Triple]

THEMES = ("light", "dark")
VISIONS: dict[str, Matrix] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}
TO_XYZ: Matrix = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.072175), (0.0193339, 0.119192, 0.9503041))
WHITE: Triple = (0.95047, 1.0, 1.08883)
CHARTS = {
    "percentiles": ["p50", "p95", "p99", "max"],
    "arrivals": ["requests", "failures", "late", "soft"],
    "resources": ["c1", "c2", "c3", "c4", "c5", "c6"],
}
"""The colours of the lines that one chart can contain."""


def colours(theme: str) -> dict[str, str]:
    """The colour variables of the page in a theme."""
    css = (PAGE / "css" / "base.css").read_text()
    place = {"light": 1, "dark": 2}[theme]
    pattern = r"--([a-z0-9-]+):light-dark\((#[0-9a-f]{6}),(#[0-9a-f]{6})\)"
    return {str(found[0]): str(found[place]) for found in re.findall(pattern, css)}


def times(matrix: Matrix, vector: Triple) -> Triple:
    one, two, three = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return one, two, three


def linear(colour: str) -> Triple:
    """A colour in linear RGB."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def lab(rgb: Triple) -> Triple:
    """A colour of linear RGB in CIELAB."""
    parts = (part / white for part, white in zip(times(TO_XYZ, rgb), WHITE, strict=True))
    x, y, z = (part ** (1 / 3) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116 for part in parts)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def difference(first: Triple, second: Triple) -> float:
    """The difference of two colours by CIEDE2000."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean_chroma = (hypot(a1, b1) + hypot(a2, b2)) / 2
    grey = 0.5 * (1 - sqrt(mean_chroma**7 / (mean_chroma**7 + 25**7)))
    a1, a2 = (1 + grey) * a1, (1 + grey) * a2
    c1, c2 = hypot(a1, b1), hypot(a2, b2)
    h1, h2 = degrees(atan2(b1, a1)) % 360, degrees(atan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    hue = h1 + turn / 2 if c1 * c2 else h1 + h2
    d_hue = 2 * sqrt(c1 * c2) * sin(radians(turn / 2))
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    weight = (
        1
        - 0.17 * cos(radians(hue - 30))
        + 0.24 * cos(radians(2 * hue))
        + 0.32 * cos(radians(3 * hue + 6))
        - 0.2 * cos(radians(4 * hue - 63))
    )
    by_light = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / sqrt(20 + (light - 50) ** 2))
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    by_hue = d_hue / (1 + 0.015 * chroma * weight)
    rotation = -2 * sqrt(chroma**7 / (chroma**7 + 25**7)) * sin(radians(60 * exp(-(((hue % 360 - 275) / 25) ** 2))))
    return sqrt(by_light**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue)


def seen(colour: str, vision: str) -> Triple:
    """A colour as somebody with this vision sees it, in CIELAB."""
    red, green, blue = (min(1.0, max(0.0, part)) for part in times(VISIONS[vision], linear(colour)))
    return lab((red, green, blue))


def luminance(colour: str) -> float:
    return times(TO_XYZ, linear(colour))[1]


def closest(chart: str, vision: str, theme: str) -> tuple[float, tuple[str, str]]:
    """The smallest difference of two lines of a chart, and these lines."""
    known = colours(theme)
    pairs = combinations(CHARTS[chart], 2)
    return min((difference(seen(known[one], vision), seen(known[other], vision)), (one, other)) for one, other in pairs)


def table() -> str:
    """The smallest differences as a table in Markdown."""
    rows = [f"| colours of | vision | {' | '.join(THEMES)} |", "| --- | --- | ---: | ---: |"]
    for chart in CHARTS:
        for vision in VISIONS:
            found = (closest(chart, vision, theme) for theme in THEMES)
            cells = (f"{smallest:.1f} ({' and '.join(pair)})" for smallest, pair in found)
            rows.append(f"| {chart} | {vision} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
