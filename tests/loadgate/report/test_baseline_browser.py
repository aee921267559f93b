"""Test the report of a run with a baseline in a browser: the dotted line, its legend, and the tables at each width."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loadgate.report.baseline import measured_run, with_baseline
from loadgate.run.document import RunDocument
from tests.support.browser import OfflinePage, violations, width_beyond
from tests.support.layout import unreadable_texts
from tests.support.made_runs import Made, made_run
from tests.support.run_documents import stored

pytestmark = pytest.mark.timeout(300)

OpenReport = Callable[..., OfflinePage]
DASHES = """() => {
    window.dashes = new Set();
    const drawing = CanvasRenderingContext2D.prototype, stroke = drawing.stroke;
    drawing.stroke = function (...path) {
        window.dashes.add(this.getLineDash().map(length => length / devicePixelRatio).join());
        return stroke.apply(this, path);
    };
}"""


def compared(**lacking: str) -> RunDocument:
    """A slower run on another machine, with a baseline that has no scope of the name `lacking["name"]`."""
    base = measured_run(made_run(Made(requests=4000, machine="0th3r", suite="0th3r")), "20260501T000000Z-light")
    scopes = [scope for scope in base.scopes if scope.name != lacking.get("name")]
    slower = made_run(Made(day=1, requests=4000, slow=1.3, seed=2))
    document, problem = with_baseline(slower, base.model_copy(update={"scopes": scopes}))
    assert problem == ""
    return stored(document)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_at_each_width(open_report: OpenReport, scheme: str) -> None:
    opened = open_report(compared(), color_scheme=scheme)
    for width in (1280, 1024, 1000, 768, 390):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert (width, width_beyond(opened.page), unreadable_texts(opened.page)) == (width, 0, [])
    assert violations(opened.page) == []
    opened.page.set_viewport_size({"width": 703, "height": 900})
    opened.page.emulate_media(media="print")
    for table in opened.page.locator("table.rules, table.requests").all():
        box = table.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 703
    assert width_beyond(opened.page) == 0
    assert opened.errors == []


def test_the_baseline_is_a_dotted_line_that_the_legend_and_the_page_explain(open_report: OpenReport) -> None:
    page = open_report(compared(), init=f"({DASHES})()").page
    chart = page.locator("#charts .chart", has=page.locator("strong", has_text="Response time")).first
    key = chart.locator(".key", has_text="p95 of the baseline")
    assert key.locator(".swatch").evaluate("one => getComputedStyle(one).borderTopStyle") == "dotted"
    assert "2,4" in page.evaluate("[...window.dashes]")
    assert "The dotted line in the charts of response times is the p95" in page.inner_text("#definitions")
    assert page.locator("#rules p.note").all_inner_texts() == [
        "The baseline is from another class of machines (class 0th3r; this run: class c1a55c1a55c1).",
        "The suite has changed since the baseline.",
    ]


def test_a_request_that_the_baseline_lacks_has_a_dash_and_no_line(open_report: OpenReport) -> None:
    page = open_report(compared(name="GET auth")).page
    cells = {
        name: page.locator("tbody tr.row", has=page.locator("th", has_text=name)).locator("td").nth(-2).inner_text()
        for name in ("GET auth", "GET health")
    }
    assert cells["GET auth"] == "-"
    assert "%" in cells["GET health"]
    for name, lines in (("GET auth", 0), ("GET health", 1)):
        page.locator("button.expand", has_text=name).click()
        opened = page.locator("tr.detail.open .chart", has_text="Response time").last
        assert opened.locator(".key", has_text="p95 of the baseline").count() == lines
        page.locator("button.expand", has_text=name).click()
