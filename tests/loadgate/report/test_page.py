"""Test the report page for each kind of run: its contents, without scripts, and without external resources."""

from __future__ import annotations

import re

import pytest

from loadgate.report.html import html_report
from loadgate.report.html.facts import title
from loadgate.report.text import verdict_sentence
from loadgate.run.document.conclusions import BreachRecord
from tests.loadgate.report.runs import HOSTILE, KINDS, Synthetic, stored, text_of
from tests.support.pages import Balance, hash_of
from tests.support.run_documents import as_json, document_of
from tests.support.synthetic_run import synthetic_document

TEN_MINUTES_BYTES = 400_000
THIRTY_MINUTES_BYTES = 1_000_000
THIRTY_MINUTES_RUN_JSON_BYTES = 2_000_000


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("full", ["PASS synthetic · 1 min · 50 users · 127.0.0.1:8000", "Ran its full time, 1 min."]),
        ("failed", ["FAIL synthetic · 1 min · 50 users", "too high"]),
        ("saturated", ["INCONCLUSIVE synthetic · 1 min · 50 users", "SATURATED", "generator process used 97.0 %"]),
        ("empty", ["INCONCLUSIVE", "No request was recorded, so there are no results", "Nothing was recorded."]),
        ("one_request", ["INCONCLUSIVE", "The run has no rules", "12.5 ms", "No request failed."]),
        ("only_failures", ["FAIL", "none of the 40 requests succeeded", "ConnectionRefusedError", "100 %"]),
        ("interrupted", ["INCONCLUSIVE", "Interrupted after 12 s of 1 min. The results cover only this time."]),
        (
            "target_died",
            [
                "50 users · 127.0.0.1:8000 The target ended with signal SIGKILL during the run",
                "Cut short after 1 min of 1 min, because the target ended with signal SIGKILL. The results",
                "(the target ended with signal SIGKILL, load for 1 min)",
            ],
        ),
        ("aborted", ["FAIL", "Stopped by a rule after 12 s of 1 min.", "g: p95"]),
        ("unfinished", ["INCONCLUSIVE", "worker w1: it went away", "no answer before the run ended"]),
        ("measured", ["Measures", "first token", "They do not count in totals."]),
    ],
)
def test_the_page_describes_each_kind_of_run(kind: str, said: list[str]) -> None:
    told = text_of(html_report(KINDS[kind]()))

    assert [sentence for sentence in said if sentence not in told] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_comes_first_and_the_markup_is_balanced(kind: str) -> None:
    document = KINDS[kind]()
    html = html_report(document)

    checker = Balance()
    checker.feed(html)
    assert checker.wrong == []
    assert checker.open == []
    body = text_of(html[html.index("<main>") :])
    first, then = ("Failures", "Over time") if document.totals.overall.failures else ("Over time", "Failures")
    parts = (title(document.run), verdict_sentence(document.verdict), first, then, "Load generator", "What the numbers")
    order = [body.index(part) for part in parts]
    assert order == sorted(order)


def test_a_rule_shows_limit_value_margin_and_samples() -> None:
    html = html_report(KINDS["full"]())

    (rule,) = [row for row in re.findall(r"(?s)<tr class=\"pass\">.*?</tr>", html) if "group 1: p95" in row]
    assert re.search(r"PASS group 1: p95 &lt; 500 ms|PASS group 1: p95 < 500 ms", text_of(rule))
    assert re.search(r"< 500 ms [\d.]+ ms [\d.]+ % to spare \d+ Too few requests", text_of(rule))
    assert text_of(rule).count("95 % confidence") == 1


def test_failures_and_slow_requests_name_their_traces() -> None:
    document = KINDS["full"]()
    told = text_of(html_report(document))

    for error in document.errors:
        assert error.text in told
        for example in error.examples:
            assert f"trace {example.trace_id} request {example.request_id}" in told
    assert len(document.slowest) == 6
    assert [slow for slow in document.slowest if slow.trace_id not in told] == []


def test_two_of_the_slowest_requests_of_each_name_are_shown() -> None:
    document = KINDS["full"]()
    first, other = document.slowest[:2]
    slowest = [first.model_copy(update={"trace_id": f"{number:032x}"}) for number in range(8)]
    told = text_of(html_report(document.model_copy(update={"slowest": [*slowest, other]})))
    assert [f"{number:032x}" in told for number in range(8)] == [True] * 2 + [False] * 6
    assert other.trace_id in told


def test_a_measure_counts_in_no_total() -> None:
    document = KINDS["measured"]()
    html = html_report(document)

    assert document.totals.overall.requests == 50
    tables = re.findall(r"(?s)<table class=\"requests sortable\">.*?</table>\s*</div>", html)
    assert ["first token" in table for table in tables] == [False, True]


def test_hostile_text_stays_text() -> None:
    html = html_report(KINDS["hostile"]())

    assert HOSTILE not in html
    assert html.count("<script") == 2
    assert html.count("</script>") == 2
    assert "&lt;script&gt;document.title=" in html
    assert "\ud800" not in html
    html.encode("utf-8")


def test_the_policy_allows_only_the_own_style_and_script() -> None:
    html = html_report(KINDS["full"]())

    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    parts = dict(part.split(" ", 1) for part in policy.replace("&#39;", "'").split("; "))
    assert parts["default-src"] == "'none'"
    assert parts["img-src"] == "data:"
    (style,) = re.findall(r"(?s)<style>(.*?)</style>", html)
    (script,) = re.findall(r"(?s)<script>(.*?)</script>", html)
    assert parts["style-src"] == hash_of(style)
    assert parts["script-src"] == hash_of(script)
    assert not re.findall(r"""(?:src|srcset)=|url\(|@import|\bstyle="|\son\w+=""", html.replace(script, ""))


@pytest.mark.parametrize(
    ("names", "per_s", "coarse"),
    [(12, 40, False), *(pytest.param(*more, marks=pytest.mark.full) for more in ((20, 100, False), (50, 100, True)))],
)
def test_a_heavy_run_of_ten_minutes_is_small_and_states_its_slot_width(names: int, per_s: int, coarse: bool) -> None:
    document = stored(synthetic_document(Synthetic(duration_s=600, names=names, requests_per_s=per_s)))
    html = html_report(document)

    assert len(html.encode()) < TEN_MINUTES_BYTES
    said = "Each point covers 5 s. If a chart shows less than 4 min, each point covers one second."
    told = text_of(html)
    assert said in told
    assert ("in the charts of single requests, each point always covers 5 s." in told) is coarse
    for figures in document.totals.requests:
        assert f"{figures.requests:,}" in told


def test_the_resources_cost_little_space_in_the_page_and_in_run_json() -> None:
    document = stored(synthetic_document(Synthetic(duration_s=1800, names=12, requests_per_s=40, all_resources=True)))
    assert len(document.resources.columns) == 25
    assert len(html_report(document).encode()) < THIRTY_MINUTES_BYTES
    assert len(document.to_json()) < THIRTY_MINUTES_RUN_JSON_BYTES


def test_the_resources_are_a_table_with_what_could_not_be_read() -> None:
    told = text_of(html_report(KINDS["full"]()))

    assert re.search(r"Resource Mean Max Last Limit api CPU 0.\d+ cores 0.\d+ cores 0.\d+ cores 2.00 cores", told)
    assert re.search(r"database connections [\d.]+ 9 \d 20 ", told)
    assert re.search(r"The charts of the target's resources as tables api From CPU memory event-loop lag", told)
    assert "What could not be read no process of 'worker' was found The sampler used 0.210 % of a core." in told


def test_a_run_without_resources_says_nothing_about_them() -> None:
    html = html_report(KINDS["measured"]())

    assert "resources" not in text_of(html).casefold()
    assert 'id="resources"' not in html


def test_conclusions_are_below_the_rules_and_escaped() -> None:
    document = KINDS["full"]()
    growth = {"per_s": 1.0, "low_per_s": 0.5, "high_per_s": 2.0, "visible_per_s": 1.0, "kind": None, "unit": "bytes"}
    recovery = {"scope": "g", "stage": "rush", "state": "recovered", "time_s": 5.0, "window_s": 5.0, "peak_ms": 9.0}
    episode = {"scope": "g", "start_s": 1.0, "end_s": 2.0, "added_ms": 9.0, "explained_by": "nothing", "cause": None}
    found = {
        "growth": [growth | {"resource": "api", "quantity": "memory", "sentence": "api memory grows 1.2 MB/h."}],
        "recoveries": [recovery | {"sentences": ["g recovered within 5 s.", "Its p95 was 9 ms."]}],
        "left_over": ["3 connections are left over."],
        "episodes": [episode | {"share": None, "sentence": "5 < 6 & <b>more</b>"}],
    }
    html = html_report(document_of(as_json(document) | {"conclusions": found}))

    assert (
        "Conclusions Slow episodes 5 < 6 & <b>more</b> Changes of the load g recovered within 5 s. Its p95 was 9 ms. "
        "3 connections are left over. Growth api memory grows 1.2 MB/h. Over time"
    ) in text_of(html)
    assert "<b>" not in html


def test_a_run_without_conclusions_has_no_section_of_them() -> None:
    html = html_report(KINDS["empty"]())

    assert KINDS["empty"]().conclusions.growth == []
    assert 'id="conclusions"' not in html
    assert "#conclusions" not in html


def test_the_plot_library_comes_with_its_licence() -> None:
    html = html_report(KINDS["empty"]())

    assert "Permission is hereby granted, free of charge" in html
    assert "leeoniya/uPlot" in html


def test_failed_rules_and_the_requests_that_broke_them_come_first() -> None:
    slow = synthetic_document(Synthetic(duration_s=40, names=6, p95_limit_ms=1))
    rules = [rule.model_copy(update={"outcome": "pass"}) for rule in slow.verdict.rules[:-1]]
    verdict = slow.verdict.model_copy(
        update={"rules": [*rules, slow.verdict.rules[0].model_copy(update={"outcome": "fail", "rule": "the last"})]}
    )
    last = slow.totals.requests[-1].name
    sentence = f"Broken during the whole run by {last} (p95 1 s)."
    breach = BreachRecord(rule="the last", spans=[], requests=[last], sentence=sentence)
    conclusions = slow.conclusions.model_copy(update={"breaches": [breach]})
    html = html_report(slow.model_copy(update={"verdict": verdict, "conclusions": conclusions}))
    assert re.findall(r'<tr class="(fail|pass|inconclusive)">', html)[0] == "fail"
    named = re.findall(r'<tr class="row request.*?<th scope="row">(.*?)</th>', html, re.DOTALL)
    assert named[0] == f'{last} <small class="guilty">broke a rule</small>'
    assert sum("broke a rule" in name for name in named) == 1
    assert sentence in text_of(html[: html.index('id="rules"')])
