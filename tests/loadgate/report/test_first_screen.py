"""Test the first screen of a report, which depends on the load: users, an open model, stages, or streams of tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Page

from loadgate.recorder import FinishedRequest, Outcome
from loadgate.report.html import html_report, run_series
from loadgate.report.html.load import late_per_s
from loadgate.run.document import RunDocument
from loadgate.shape.arrivals import ArrivalEvent
from loadgate.shape.profile import LoadProfile, Stage
from tests.loadgate.report.runs import KINDS, STARTED_S, bare_run, text_of
from tests.support.browser import OfflinePage, violations, width_beyond
from tests.support.run_documents import as_json, document_of, judged

OpenReport = Callable[..., OfflinePage]

STAGES = (
    Stage("20s", rate=10, name="before"),
    Stage("20s", rate=30, ramp="20s", name="rush"),
    Stage("20s", rate=10, name="after"),
)


def tiles_of(document: RunDocument) -> dict[str, str]:
    """Return the text of each tile by its label."""
    found = re.findall(r"(?s)<dt [^>]*>([^<]*)</dt><dd>(.*?)</dd>", html_report(document))
    return {label: " ".join(text_of(text).split()) for label, text in found}


def open_model(profile: LoadProfile) -> RunDocument:
    """A run of a minute with a request every 100 ms, slow and with failures from 0:20 to 0:40."""
    run = bare_run(rules=["overall: p95 < 1s"])
    run.plan = replace(run.plan, profile=profile, arrivals=profile.arrivals())
    starts = zip((0, 20, 40), profile.stage_names, strict=False)
    run.stages = [(STARTED_S + at_s, name) for at_s, name in starts] or [(STARTED_S, "steady")]
    for number in range(600):
        is_slow = 200 <= number < 400
        outcome = Outcome.FAILURE if is_slow and number % 10 == 0 else Outcome.SUCCESS
        latency_ms = 500.0 if is_slow else 10.0
        error = "HTTP 503" if outcome is Outcome.FAILURE else None
        at_s = STARTED_S + number / 10
        run.recorder.record(FinishedRequest("ping", outcome, at_s, latency_ms, error=error, group="g", service_ms=5.0))
    for second in range(25, 35):
        run.recorder.count(ArrivalEvent.LATE, 3, at_s=STARTED_S + second + 0.5)
    run.recorder.count(ArrivalEvent.DROPPED, 20)
    run.recorder.count(ArrivalEvent.NEVER_STARTED, 10)
    return judged(run)


def streams(*, with_goodput: bool = True) -> RunDocument:
    """A run of a minute with 30 streams of 21 tokens each, and polls between them."""
    run = bare_run(rules=["llm_ttft_overhead: p95 <= 30ms"])
    for number in range(30):
        at_s = STARTED_S + number
        run.recorder.record(FinishedRequest("stream", Outcome.SUCCESS, at_s, 600.0, group="llm_streams"))
        run.recorder.record(FinishedRequest("poll", Outcome.SUCCESS, at_s, 5.0, group="llm_tasks"))
        run.recorder.record_measure("TTFT", 100.0, at_s=at_s, group="llm_ttft")
        for _ in range(20):
            run.recorder.record_measure("ITL", 25.0, at_s=at_s, group="llm_itl")
        if with_goodput and number < 15:
            run.recorder.record_measure("Goodput", 600.0, at_s=at_s, group="llm_goodput")
    return judged(run)


def test_a_closed_model_shows_users_and_percentiles() -> None:
    assert list(tiles_of(KINDS["full"]())) == ["Requests", "Requests/s", "Failed", "p50", "p95", "p99", "Users"]


def test_an_open_model_shows_what_was_planned_late_and_lost() -> None:
    tiles = tiles_of(open_model(LoadProfile(name="rate", rate="20/s")))
    assert list(tiles) == ["Requests", "Failed", "Arrivals", "Late", "Not started", "In flight", "p95", "p99"]
    assert tiles["Arrivals"] == "1,170 of 1,200"
    assert tiles["Late"] == "30 2.50 %"
    assert tiles["Not started"] == "30 2.50 %"
    assert tiles["In flight"] == "5 peak"
    assert tiles["Failed"] == "3.33 % 20"


def test_late_arrivals_are_counted_in_the_seconds_of_their_intended_starts() -> None:
    document = open_model(LoadProfile(name="rate", rate="20/s"))
    (grid,) = run_series(document).grids
    late = late_per_s(document, grid)
    assert late is not None
    assert {slot for slot, rate in enumerate(late) if rate} == set(range(25, 35))
    assert sum(filter(None, late)) == 30


def test_late_arrivals_are_unknown_in_a_closed_model_and_in_older_files() -> None:
    document = open_model(LoadProfile(name="rate", rate="20/s"))
    older = document.model_copy(update={"recording": document.recording.model_copy(update={"counted": []})})
    for one in (older, KINDS["full"]()):
        assert late_per_s(one, run_series(one).grids[0]) is None
    none = older.model_copy(update={"counters": {}})
    assert set(late_per_s(none, run_series(none).grids[0]) or []) <= {0.0, None}


def titles(page: Page) -> list[str]:
    return page.locator("#charts figcaption strong").all_inner_texts()


def test_the_charts_of_an_open_model_begin_with_the_planned_arrivals(open_report: OpenReport) -> None:
    opened = open_report(open_model(LoadProfile(name="rate", rate="10..50/s over 1m")))
    page = opened.page
    assert titles(page)[:3] == ["Arrivals, requests and failures", "Requests in flight", "Response time"]
    chart = page.locator("#charts .chart").first
    chart.locator(".u-over").hover()
    planned, requests = (
        float(chart.locator("button.key", has_text=name).locator(".value").inner_text().removesuffix("/s"))
        for name in ("planned arrivals", "requests")
    )
    assert 28 <= planned <= 32
    assert requests == 10
    late = chart.locator("button.key", has_text="late arrivals").locator(".value")
    assert late.inner_text() == "3.00/s"
    assert opened.errors == []
    assert titles(open_report(KINDS["full"]()).page)[0] == "group 0"


@pytest.mark.parametrize("with_goodput", [True, False])
def test_streams_of_tokens_show_their_own_measures(with_goodput: bool) -> None:
    document = streams(with_goodput=with_goodput)
    tiles = tiles_of(document)
    expected = {"Failed": "0 %", "Streams": "30", "TTFT p95": "100 ms", "ITL p95": "25.0 ms", "Tokens/s": "10.5"}
    goodput = {"Goodput": "0.250/s 50.0 %"} if with_goodput else {}
    assert tiles == expected | goodput | {"Users": "-"}


def test_a_measure_stands_in_one_table() -> None:
    html = html_report(streams())
    requests, measures = html.split("<h3>Measures</h3>")
    named = [re.findall(r'data-scope="\d+">\s*<th scope="row">(\w+)', part) for part in (requests, measures)]
    assert named == [["overall", "llm_streams", "llm_tasks", "stream", "poll"], ["Goodput", "ITL", "TTFT"]]


def test_the_name_of_a_rule_ends_its_line_after_an_underscore() -> None:
    assert "llm_<wbr>ttft_<wbr>overhead: p95" in html_report(streams())


def test_the_stages_of_a_profile_are_compared_with_their_ramps() -> None:
    document = open_model(LoadProfile(name="spike", stages=STAGES))
    recovery = {"scope": "g", "stage": "rush", "state": "recovered", "time_s": 6.5, "window_s": 5.0, "peak_ms": 500.0}
    conclusions = as_json(document)["conclusions"] | {"recoveries": [recovery | {"sentences": ["g recovered."]}]}
    text = text_of(html_report(document_of(as_json(document) | {"conclusions": conclusions})))
    times = r"10\.\d ms 10\.\d ms \d+\.?\d* ms"
    assert re.search(
        rf"before 10/s 0:00 to 0:20 \d+ 0 % {times} - "
        r"rush 30/s 0:20 to 0:40 \d+ 10\.\d % 50\d ms 50\d ms 50\d ms g: 6\.50? s "
        rf"after 10/s 0:40 to 1:00 \d+ 0 % {times} -",
        text,
    )


def test_a_run_that_does_not_follow_the_stages_has_no_table_of_them() -> None:
    document = open_model(LoadProfile(name="spike", stages=STAGES))
    other = document.model_copy(update={"stages": [(STARTED_S, "steady")]})
    for without in (other, KINDS["full"](), KINDS["empty"]()):
        assert 'id="stages"' not in html_report(without)
        assert "#stages" not in html_report(without)


def test_the_first_screens_are_accessible_and_fit_a_phone(open_report: OpenReport) -> None:
    for document in (open_model(LoadProfile(name="spike", stages=STAGES)), streams()):
        page = open_report(document, viewport={"width": 390, "height": 844}).page
        assert width_beyond(page) == 0
        assert violations(page) == []


WIDER_THAN_PAPER = """[...document.querySelectorAll('main *')]
    .filter(one => one.getBoundingClientRect().right > 704).map(one => one.outerHTML.slice(0, 80))"""
PAPER = {"width": 703, "height": 900}
"""The width between the margins of A4. If the page were wider, it would be printed smaller."""


def test_nothing_is_wider_than_the_paper(open_report: OpenReport) -> None:
    spike = open_model(LoadProfile(name="spike", stages=STAGES))
    for document in (spike, streams(), KINDS["full"](), KINDS["failed"]()):
        page = open_report(document, viewport=PAPER).page
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(WIDER_THAN_PAPER) == []
        assert width_beyond(page) == 0
        # The charts show the same as their tables.
        assert page.locator("#over-time details:visible").count() == 0


def test_the_reason_of_a_rule_does_not_repeat_its_row() -> None:
    document = KINDS["failed"]()
    for rule in document.verdict.rules:
        assert rule.interval is not None
    rows = re.findall(r'(?s)<td class="why" data-label="Why">(.*?)</td>', html_report(document))
    assert len(rows) == len(document.verdict.rules)
    for row in map(text_of, rows):
        assert "limit of" not in row
        assert len(re.findall(r"[\d.]+ ms to", row)) <= 1, row
