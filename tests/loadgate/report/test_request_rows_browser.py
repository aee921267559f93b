"""Test the table of requests in a browser: a copied name is whole, and a phone shows the p95."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.loadgate.report.runs import KINDS
from tests.loadgate.report.test_request_rows import LONG, run_of
from tests.support.browser import OfflinePage, width_beyond

pytestmark = pytest.mark.timeout(300)

OpenReport = Callable[..., OfflinePage]
SELECTED = """name => {
    getSelection().selectAllChildren(name);
    return getSelection().toString();
}"""


@pytest.mark.parametrize("scripts", [True, False])
def test_a_long_name_is_short_on_the_screen_and_whole_when_copied(open_report: OpenReport, scripts: bool) -> None:
    document = run_of({LONG: (30, 5.0), LONG.replace("GET", "PUT"): (30, 5.0)}, "g: p95 < 100ms")
    page = open_report(document, ready=scripts, java_script_enabled=scripts).page
    name = page.locator("tbody.sorted tr.row th").first
    middle = name.locator(".cut")
    assert middle.evaluate("one => getComputedStyle(one, '::before').content") == '"…"'
    assert middle.evaluate("one => getComputedStyle(one).fontSize") == "0px"
    assert name.get_attribute("title") == LONG
    assert name.evaluate(SELECTED).strip() == LONG


@pytest.mark.parametrize("kind", ["full", "failed"])
def test_a_phone_shows_the_p95_without_scrolling_sideways(open_report: OpenReport, kind: str) -> None:
    page = open_report(KINDS[kind](), viewport={"width": 390, "height": 844}).page
    assert width_beyond(page) == 0
    column = page.locator("table.requests thead th", has_text="p95").first
    box = column.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390
    assert not page.locator("table.requests thead th", has_text="Group").first.is_visible()


def test_the_rate_does_not_fall_in_the_part_of_a_second_at_the_end(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    chart = page.locator("#charts .chart", has=page.locator("strong", has_text="Requests and failures")).first
    chart.locator(".plot").focus()
    page.keyboard.press("End")
    value = chart.locator("button.key", has_text="requests").locator(".value").inner_text()
    assert value == "-" or float(value.removesuffix("/s")) > 5


def test_the_cursor_stays_at_its_time_while_the_keyboard_zooms(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    chart = page.locator("#charts .chart", has=page.locator("strong", has_text="Response time")).first
    chart.locator(".plot").focus()
    for _ in range(50):
        page.keyboard.press("ArrowRight")
    where = page.locator(".where").inner_text()
    assert where.startswith("0:49 · ")
    for key in ("+", "+", "-", "-", "+"):
        page.keyboard.press(key)
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.locator(".where").inner_text() == where
        assert chart.locator(".u-cursor-x").is_visible()
