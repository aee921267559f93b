"""Test what people share of a report: the address of a view, texts to copy, and links to the files of the run."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page

from loadgate.report.artefacts import RUN_FILES, publish
from loadgate.report.html import html_report
from loadgate.report.summary import markdown_summary
from loadgate.run.document import RunDocument
from tests.loadgate.report.runs import HOSTILE, KINDS
from tests.support.browser import OfflinePage
from tests.support.run_documents import as_json, document_of

pytestmark = pytest.mark.timeout(300)

OpenReport = Callable[..., OfflinePage]
SHOWN = "[...new Set([...document.querySelectorAll('#charts .plot[data-shown]')].map(one => one.dataset.shown))]"
OPENED = "[...document.querySelectorAll('tr.row.opened .expand')].map(one => one.textContent)"
SCOPE = "document.querySelector('#charts select').selectedOptions[0].text"
LOG = "document.querySelector('#charts button[aria-pressed]').getAttribute('aria-pressed')"


def view_of(page: Page) -> tuple[object, ...]:
    return tuple(page.evaluate(script) for script in (SHOWN, OPENED, SCOPE, LOG))


def links(page: str) -> list[str]:
    """Return the targets of the links to files."""
    return [unescape(href) for href in re.findall(r'<a href="([^"#][^"]*)"', page)]


def test_a_link_restores_the_time_range_the_scope_the_axis_and_the_open_rows(open_report: OpenReport) -> None:
    document = KINDS["full"]()
    opened = open_report(document)
    page = opened.page
    assert "#" not in page.url
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Earlier").click()
    page.locator("#charts select").select_option(label="group 3")
    page.get_by_role("button", name="Logarithmic").click()
    page.locator("tbody.sorted button.expand").nth(1).click()
    row = document.totals.requests[1]
    page.wait_for_url("**row=*")
    wanted = view_of(page)

    address = page.url.partition("#")[2]
    assert address == (
        f"from=0&to=30.25&scope=group+3&axis=log&row={row.group}/{row.name}".replace(" ", "+").replace("/", "%2F")
    )
    again = open_report(document, view=f"#{address}")
    assert view_of(again.page) == wanted
    assert again.page.locator("tr.row.opened").is_visible()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert view_of(page) == wanted
    assert opened.errors == again.errors == []


def test_the_address_is_empty_again_when_the_whole_run_is_shown(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_url("**#from=15.13&to=45.38")
    page.get_by_role("button", name="Show the whole run").click()
    page.wait_for_url("**.html")


def test_the_address_of_a_section_keeps_the_view(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"]()).page
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_url("**#from=*")
    page.get_by_role("link", name="Generator").click()
    assert page.url.endswith("#generator")
    assert page.evaluate(SHOWN) == ["15.1 45.4"]


@pytest.mark.parametrize(
    "junk",
    [
        "#=",
        "#from=x&to=9",
        "#from=9&to=3",
        "#from=NaN&to=Infinity",
        "#from=70&to=90",
        "#scope=none&axis=up&row=none&row=/&other=1",
        "#from=%E0%A4%A&to=%00&scope=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "#__proto__=1&constructor=2",
    ],
)
def test_junk_in_the_address_is_ignored(open_report: OpenReport, junk: str) -> None:
    opened = open_report(KINDS["full"](), view=junk)
    assert view_of(opened.page) == (["0 60.5"], [], "overall", "false")
    assert opened.errors == []


def test_an_extreme_range_in_the_address_is_bounded_by_the_run(open_report: OpenReport) -> None:
    page = open_report(KINDS["full"](), view="#from=-1e308&to=1e308").page
    assert page.evaluate(SHOWN) == ["0 60.5"]
    page.evaluate("location.hash = '#from=20&to=20.001'")
    page.wait_for_selector(".plot[data-shown='18.5 21.5']")


def clipboard(page: Page) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


@pytest.mark.parametrize("has_clipboard", [True, False])
def test_the_summary_and_the_command_can_be_copied(open_report: OpenReport, has_clipboard: bool) -> None:
    data = as_json(KINDS["hostile"]())
    data["run"]["command"] = ["loadgate", "run", "light", "--users", "20", "--tags", HOSTILE]
    document = document_of(data)
    # A page over HTTP has no clipboard for writing.
    init = "" if has_clipboard else "navigator.clipboard.writeText = undefined"
    page = open_report(document, init=init, permissions=["clipboard-read", "clipboard-write"]).page

    button = page.get_by_role("button", name="Copy as Markdown")
    button.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert clipboard(page) == markdown_summary(document)
    button.wait_for()
    page.get_by_role("button", name="Copy command").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert clipboard(page).startswith("loadgate run light --users 20 --tags '</script><script>document")
    assert page.locator("textarea").count() == 0


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The folder of a run with logs, below the folder of the reports."""
    folder = tmp_path / "reports" / "runs" / "20260501T120000Z-a b"
    (folder / "logs").mkdir(parents=True)
    for name in ("target.log", "logs/api.log", 'logs/a"b.log', ".hidden"):
        (folder / name).write_text("a line")
    RUN_FILES.write(KINDS["full"](), folder)
    return folder


def test_the_page_links_to_the_files_of_the_run(written: Path) -> None:
    found = links((written / "report.html").read_text())
    names = [unquote(href) for href in found]
    assert names == [
        f"./{name}"
        for name in (
            *("run.json", "series.csv", "summary.md", "junit.xml", "metrics.prom"),
            *("target.log", 'logs/a"b.log', "logs/api.log"),
        )
    ]
    assert all((written / name).is_file() for name in names)


def test_the_links_of_a_copy_lead_to_the_folder_of_the_run(written: Path) -> None:
    copy = written.parents[1] / "light_load_report.html"
    publish(written, copy)
    names = [unquote(href) for href in links(copy.read_text())]
    assert len(names) == 8
    assert all((copy.parent / name).is_file() for name in names)


def test_a_page_without_a_folder_has_no_links_to_files() -> None:
    document: RunDocument = KINDS["full"]()
    assert links(html_report(document)) == []
    assert "Files of the run" not in html_report(document)
