"""Fixtures for the tests of the report: a browser for each file that needs one, and pages of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from loadgate.report.html import html_report
from loadgate.run.document import RunDocument
from tests.support.browser import OfflinePage, launched_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a Chromium for one file. While it runs, no test of this process can have its own event loop."""
    with launched_browser() as launched:
        yield launched


OpenReport = Callable[..., OfflinePage]


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[OpenReport]:
    """Return a function that opens the report of a document offline and waits until it is drawn, if scripts are on."""
    pages: list[OfflinePage] = []

    def opened(
        document: RunDocument, *, ready: bool = True, init: str = "", view: str = "", **options: Any
    ) -> OfflinePage:
        path = tmp_path / f"report-{len(pages)}.html"
        path.write_text(html_report(document), encoding="utf-8")
        found = OfflinePage(browser, **options)
        pages.append(found)
        if init:
            found.page.add_init_script(init)
        found.page.goto(f"{path.as_uri()}{view}")
        if ready:
            found.page.wait_for_selector("html[data-ready]", timeout=60_000)
        return found

    yield opened
    for page in pages:
        page.close()
