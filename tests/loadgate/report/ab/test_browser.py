"""Test the page of a comparison in a browser without a network and without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from loadgate.report.ab.page import html_page
from tests.loadgate.report.ab.documents import KINDS
from tests.support.browser import OfflinePage, violations, width_beyond
from tests.support.layout import separated_units, unreadable_texts

pytestmark = pytest.mark.timeout(300)

OpenPage = Callable[..., OfflinePage]


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Return a function that opens the page of a kind of comparison."""
    opened: list[OfflinePage] = []

    def opening(kind: str, *, width: int = 1280, theme: str = "light") -> OfflinePage:
        path = tmp_path / f"{kind}.html"
        path.write_text(html_page(KINDS[kind]()), encoding="utf-8")
        found = OfflinePage(browser, viewport={"width": width, "height": 900}, color_scheme=theme)
        opened.append(found)
        found.page.goto(path.as_uri())
        return found

    yield opening
    for page in opened:
        page.close()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_opens_without_an_error_and_is_readable_at_each_width(open_page: OpenPage, kind: str) -> None:
    opened = open_page(kind)
    opened.page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    for width in (1280, 1024, 1000, 768, 390, 320):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert (width, width_beyond(opened.page), unreadable_texts(opened.page)) == (width, 0, [])
        assert (width, separated_units(opened.page)) == (width, [])
    assert (opened.errors, opened.requested) == ([], [])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["failed", "guard_broken", "without_rules"])
def test_the_page_is_accessible(open_page: OpenPage, kind: str, theme: str) -> None:
    page = open_page(kind, theme=theme).page
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("kind", ["failed", "undecided"])
def test_all_drawings_of_a_table_have_one_axis(open_page: OpenPage, kind: str, width: int) -> None:
    page = open_page(kind, width=width).page
    # On a wide page, the axis is in the head of the table. Below, each card has its own.
    axis = "#rules thead .scale" if width >= 1024 else "#rules tbody .scale"
    drawings, scales = (
        [box for item in page.query_selector_all(selector) if (box := item.bounding_box())]
        for selector in ("#rules .drawn", axis)
    )
    assert len(drawings) == 2
    assert len(scales) == (1 if width >= 1024 else 2)
    assert len({(box["x"], box["width"]) for box in (*drawings, *scales)}) == 1
    assert all(box["width"] >= 240 for box in drawings)


def test_the_badge_is_beside_the_rule_on_a_phone(open_page: OpenPage) -> None:
    page = open_page("undecided", width=390).page
    row = page.locator("#rules tbody tr").first
    name, badge = row.locator("th").bounding_box(), row.locator(".badge").bounding_box()
    assert name is not None
    assert badge is not None
    assert abs(name["y"] - badge["y"]) < 10
    assert name["x"] + name["width"] <= badge["x"]


def test_paper_has_tables_and_the_tables_of_the_pairs(open_page: OpenPage) -> None:
    page = open_page("many_rules", width=703).page
    page.emulate_media(media="print")
    heads = page.locator("table.rules thead th").all()
    assert heads
    assert all((box := head.bounding_box()) is not None and box["width"] > 20 for head in heads)
    assert width_beyond(page) == 0
    assert unreadable_texts(page, 8.5) == []
    assert page.locator("#pairs table").first.is_visible()


def test_the_page_is_read_by_keyboard_and_printed_in_light_colours(open_page: OpenPage) -> None:
    page = open_page("failed", theme="dark").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the rules"
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("header.top")
