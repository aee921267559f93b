"""Test the page of a comparison in a browser without a network and without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from loadgate.report.ab.page import html_page
from tests.loadgate.report.ab.documents import KINDS
from tests.support.browser import OfflinePage, violations, width_beyond

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


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_opens_without_an_error_at_each_width(open_page: OpenPage, kind: str, width: int) -> None:
    opened = open_page(kind, width=width)
    assert (opened.errors, opened.requested) == ([], [])
    assert width_beyond(opened.page) == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["failed", "guard_broken", "without_rules"])
def test_the_page_is_accessible(open_page: OpenPage, kind: str, theme: str) -> None:
    page = open_page(kind, theme=theme).page
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_the_axis_is_below_the_drawings_and_as_wide(open_page: OpenPage, width: int) -> None:
    page = open_page("failed", width=width).page
    boxes = [item.bounding_box() for item in page.query_selector_all("#rules svg")]
    assert len({(box["x"], box["width"]) for box in boxes if box}) == 1
    assert all(box is not None and box["width"] >= 200 for box in boxes)
    assert [box["y"] for box in boxes if box] == sorted(box["y"] for box in boxes if box)


def test_the_page_is_read_by_keyboard_and_printed_in_light_colours(open_page: OpenPage) -> None:
    page = open_page("failed", theme="dark").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the rules"
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("header.top")
