"""Test that the lines of charts can be distinguished, also with protan and deutan vision, in both themes."""

from __future__ import annotations

import pytest

from tests.support.colour_vision import CHARTS, THEMES, VISIONS, Triple, closest, colours, difference, luminance, table
from tests.support.stack import ROOT

LEAST_DIFFERENCE = 10.0
LEAST_CONTRAST = 3.0
"""The least contrast of graphics in WCAG 2.2."""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # From the test data of Sharma, Wu and Dalal.
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_is_that_of_the_published_pairs(first: Triple, second: Triple, expected: float) -> None:
    assert difference(first, second) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("chart", CHARTS)
def test_the_lines_of_a_chart_differ(chart: str, vision: str, theme: str) -> None:
    smallest, pair = closest(chart, vision, theme)
    assert smallest >= LEAST_DIFFERENCE, pair


def test_the_documentation_has_the_measured_differences() -> None:
    assert table() in (ROOT / "docs/measurement.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", THEMES)
def test_every_line_stands_out_from_the_background(theme: str) -> None:
    known = colours(theme)
    paper = luminance(known["raised"])
    for name in (name for names in CHARTS.values() for name in names):
        low, high = sorted((luminance(known[name]), paper))
        assert (high + 0.05) / (low + 0.05) >= LEAST_CONTRAST, name
