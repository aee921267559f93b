"""Test what people share of a report: the address of a view, texts to copy, and links to the files of the run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page

from loadgate.recorder import FinishedRequest, Outcome, RequestIds
from loadgate.report.artefacts import RUN_FILES, publish
from loadgate.report.beside import MAX_LINE_CHARS, MAX_LINES
from loadgate.report.html import html_report
from loadgate.report.summary import markdown_summary
from loadgate.run.document import RunDocument, read_run
from tests.loadgate.report.runs import HOSTILE, KINDS, STARTED_S, bare_run, text_of
from tests.support.browser import OfflinePage, violations
from tests.support.run_documents import as_json, document_of, judged

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


TRACE = "a" * 32


def failed_run(trace_id: str = TRACE, request_id: str = "", detail: str = "") -> RunDocument:
    """A run with one failed request."""
    run = bare_run(rules=["overall: failures < 1%"])
    ids = RequestIds(trace_id, request_id, detail)
    request = FinishedRequest("ping", Outcome.FAILURE, STARTED_S, 5.0, error="HTTP 503", group="g", ids=lambda: ids)
    run.recorder.record(request)
    return judged(run)


def page_with_logs(folder: Path, document: RunDocument, **logs: str) -> str:
    (folder / "logs").mkdir()
    for name, text in logs.items():
        (folder / "logs" / f"{name}.log").write_text(text, "utf-8", errors="surrogateescape")
    RUN_FILES.write(document, folder)
    return (folder / "report.html").read_text()


def test_a_failure_shows_what_the_response_says_and_the_lines_of_its_trace(tmp_path: Path) -> None:
    document = failed_run(detail=f"The database is down. {HOSTILE}")
    api = f"one line\n{TRACE} connection to http://ann:s3cret@db refused {HOSTILE}\nanother\n{TRACE} status 503"
    page = page_with_logs(tmp_path, document, api=api, worker=f"\udcff {TRACE}\n")
    text = text_of(page)

    assert f"HTTP 503 The database is down. {' '.join(HOSTILE.split())}" in text
    assert f"Log of {TRACE}: 3 lines api.log: {TRACE} connection to http://db refused </script>" in text
    assert f"status 503 worker.log: \N{REPLACEMENT CHARACTER} {TRACE}" in text
    assert "s3cret" not in page
    assert page.count("<script") == 2
    assert '| ping | HTTP 503 ("The database is down.' in (tmp_path / "summary.md").read_text()
    assert read_run(tmp_path) == document


def test_the_quoted_lines_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"{TRACE} {'x' * 5000}"
    text = text_of(page_with_logs(tmp_path, failed_run(), api="\n".join(f"{line}{n}" for n in range(50))))
    # All lines have the same beginning.
    assert f"Log of {TRACE}: 1 line api.log: {TRACE} xxx" in text
    assert max(len(word) for word in text.split()) == MAX_LINE_CHARS - len(TRACE) - 1

    api = tmp_path / "logs" / "api.log"
    api.write_text("\n".join(f"{TRACE} {number}" for number in range(50)))
    RUN_FILES.rebuild(read_run(tmp_path), tmp_path)
    assert f"Log of {TRACE}: {MAX_LINES} lines" in text_of((tmp_path / "report.html").read_text())

    monkeypatch.setattr("loadgate.report.beside.MAX_READ_BYTES", 10)
    RUN_FILES.rebuild(read_run(tmp_path), tmp_path)
    assert "Log of" not in text_of((tmp_path / "report.html").read_text())


@pytest.mark.parametrize(
    ("trace_id", "request_id", "found"),
    [(TRACE, "r", TRACE), ("", "x'; rm -rf ~ #", "x'; rm -rf ~ #"), ("", "-r", "-r")],
)
def test_the_command_that_finds_a_request_can_be_copied(
    open_report: OpenReport, trace_id: str, request_id: str, found: str
) -> None:
    page = open_report(failed_run(trace_id, request_id), permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy grep").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert shlex.split(clipboard(page)) == ["grep", "-rF", "-e", found, "."]
    assert violations(page) == []


def test_the_command_searches_the_logs_of_the_run(browser: Browser, tmp_path: Path) -> None:
    page_with_logs(tmp_path, failed_run(), api="nothing")
    opened = OfflinePage(browser)
    opened.page.goto((tmp_path / "report.html").as_uri())
    title = opened.page.get_by_role("button", name="Copy grep").get_attribute("title")
    opened.close()
    assert shlex.split(title or "") == ["grep", "-rF", "-e", TRACE, str(tmp_path / "logs")]


def test_a_short_id_of_a_service_is_not_searched(tmp_path: Path) -> None:
    assert "Log of" not in text_of(page_with_logs(tmp_path, failed_run("", "7"), api="7 requests"))


def test_a_page_without_a_folder_has_no_links_to_files() -> None:
    document: RunDocument = KINDS["full"]()
    assert links(html_report(document)) == []
    assert "Files of the run" not in html_report(document)
