"""Test the report of a run with hundreds of request names: the most important names, and a note on the omitted ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loadgate.report.html import html_report, run_series
from loadgate.report.html.bounded import MAX_SHOWN_NAMES, bounded
from loadgate.report.summary import MAX_REQUESTS, markdown_summary
from loadgate.run.document import RunDocument
from tests.loadgate.report.runs import text_of
from tests.support.browser import OfflinePage, violations
from tests.support.synthetic_run import Synthetic, synthetic_document


@pytest.fixture(scope="module")
def document() -> RunDocument:
    return synthetic_document(Synthetic(duration_s=30, names=260, requests_per_s=60, failure_share=0.05))


def test_the_page_shows_a_bounded_number_of_names(document: RunDocument) -> None:
    page = html_report(document)
    assert page.count('<tr class="row request') == MAX_SHOWN_NAMES
    assert "60 more names are in series.csv and run.json." in text_of(page)


def test_judged_failing_and_frequent_names_are_shown_first(document: RunDocument) -> None:
    totals, verdict = document.totals, document.verdict
    quietest = min(totals.requests, key=lambda figures: (figures.failures, figures.requests))
    rules = [*verdict.rules, verdict.rules[0].model_copy(update={"scope": quietest.name})]
    judged = document.model_copy(update={"verdict": verdict.model_copy(update={"rules": rules})})

    shown, series, hidden = bounded(judged, run_series(judged))

    kept, names = shown.totals.requests, totals.requests
    assert (len(kept), hidden) == (MAX_SHOWN_NAMES, 60)
    assert quietest in kept
    assert [scope.name for scope in series.scopes[-MAX_SHOWN_NAMES:]] == [figures.name for figures in kept]
    left_out = [figures for figures in names if figures not in kept]
    assert max(figures.failures for figures in left_out) <= min(
        figures.failures for figures in kept if figures is not quietest
    )
    assert kept == [figures for figures in names if figures in kept], "the order of the names has changed"


def test_the_summary_lists_a_bounded_number_of_names(document: RunDocument) -> None:
    summary = markdown_summary(document)
    assert sum(line.startswith("| Name ") for line in summary.split("| Failed request")[0].splitlines()) == MAX_REQUESTS
    assert "160 more request names are in series.csv and run.json." in summary


def test_a_search_box_shows_the_rows_with_all_words(open_report: Callable[..., OfflinePage]) -> None:
    opened = open_report(synthetic_document(Synthetic(duration_s=30, names=13)))
    rows = opened.page.locator("tbody.sorted tr.row:visible")
    box = opened.page.get_by_role("searchbox")
    assert rows.count() == 13
    box.fill("group 2 name")
    assert [name.split(" - ")[0] for name in rows.locator("th").all_inner_texts()] == ["Name 02", "Name 07", "Name 12"]
    assert opened.page.locator(".find output").inner_text() == "3 of 13"
    box.fill("")
    assert rows.count() == 13
    assert violations(opened.page) == []
    assert opened.errors == []


def test_a_table_with_few_rows_has_no_search_box(open_report: Callable[..., OfflinePage]) -> None:
    page = open_report(synthetic_document(Synthetic(duration_s=30, names=12))).page
    assert page.get_by_role("searchbox").count() == 0


def test_a_run_with_few_names_is_shown_completely() -> None:
    few = synthetic_document(Synthetic(duration_s=30, names=12))
    series = run_series(few)
    assert bounded(few, series) == (few, series, 0)
    assert "not shown" not in text_of(html_report(few))
