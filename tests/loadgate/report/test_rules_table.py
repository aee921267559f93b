"""Test the bars and the texts of the table of rules, the title of the page, and the icon of its tab."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from loadgate.report.html import html_report
from loadgate.report.html.assembly import TAB_ICONS, tab_icon
from loadgate.report.html.facts import title
from loadgate.report.html.rules import GAUGE_LIMIT, GAUGE_WIDTH, TOO_FEW, rule_gauge, rule_interval, rule_why
from loadgate.run.document import RuleRecord, StageRecord
from loadgate.run.document.verdict import IntervalRecord
from tests.loadgate.report.runs import KINDS, text_of
from tests.loadgate.report.test_request_rows import run_of


def rule(value: float, low: float | None, high: float | None) -> RuleRecord:
    made = KINDS["full"]().verdict.rules[0]
    interval = IntervalRecord(low=low, high=high, confidence=0.95)
    return made.model_copy(
        update={"value": value, "limit": 100.0, "interval": interval, "outcome": "fail", "value_all_stages": None}
    )


def test_the_limit_is_at_one_place_in_all_bars() -> None:
    html = html_report(KINDS["failed"]())
    ticks = set(re.findall(r'<path class="limit" d="M([\d.]+) 0v12"/>', html))
    assert ticks == {str(GAUGE_LIMIT)}


@pytest.mark.parametrize(
    ("value", "low", "high", "drawn"),
    [
        (50.0, 40.0, 60.0, (50.0, False, 40.0, 60.0)),
        (120.0, 90.0, 400.0, (120.0, False, 90.0, GAUGE_WIDTH)),
        (150.0, 140.0, 160.0, (GAUGE_WIDTH, False, 140.0, GAUGE_WIDTH)),
        (900.0, 700.0, 1_000.0, (GAUGE_WIDTH, True, None, None)),
        (50.0, 40.0, None, (50.0, False, None, None)),
    ],
)
def test_a_bar_ends_with_an_arrow_if_the_value_is_beyond_it(
    value: float, low: float, high: float | None, drawn: tuple[float, bool, float | None, float | None]
) -> None:
    gauge = rule_gauge(rule(value, low, high))
    assert gauge is not None
    assert (gauge.value, gauge.is_beyond, gauge.low, gauge.high) == drawn


def test_an_arrow_is_drawn_for_each_value_beyond_its_bar() -> None:
    document = KINDS["failed"]()
    beyond = [one for one in document.verdict.rules if (bar := rule_gauge(one)) is not None and bar.is_beyond]
    assert beyond
    assert html_report(document).count('<path class="beyond"') == len(beyond)


def test_an_interval_without_a_bound_is_described_in_words() -> None:
    assert rule_interval(rule(50.0, 40.0, 60.0)) == "40.0 ms to 60.0 ms"
    assert rule_interval(rule(50.0, 40.0, None)) == TOO_FEW
    text = text_of(html_report(KINDS["full"]()))
    assert " to ?" not in text
    assert "Too few requests for a 95 % confidence interval" in text


def test_the_reason_repeats_no_value_beside_a_cause() -> None:
    broken = rule(500.0, None, None).model_copy(update={"reason": "p95 was 500 ms, above the limit of 100 ms"})
    assert rule_why(broken) == "P95 was 500 ms, above the limit of 100 ms"
    assert rule_why(broken, "Broken during the whole run by ping (p95 500 ms).") == ""


def test_the_title_says_what_was_run() -> None:
    run = KINDS["full"]().run
    assert title(run) == "synthetic · 1 min · 50 users · 127.0.0.1:8000"
    one = run.model_copy(update={"users": 1, "planned_s": None, "duration_s": 12.34})
    assert title(one) == "synthetic · 12.3 s · 1 user · 127.0.0.1:8000"
    open_model = run.profile.model_copy(update={"rate": "10..50/s over 1m"})
    assert (
        title(run.model_copy(update={"profile": open_model})) == "synthetic · 1 min · 10..50/s over 1m · 127.0.0.1:8000"
    )


def test_the_title_of_stages_has_the_highest_level() -> None:
    run = KINDS["full"]().run

    def of(levels: list[tuple[int | None, float | None]]) -> str:
        stages = [
            StageRecord(duration=20, users=users, rate=rate, spawn_rate=None, ramp=None, name="")
            for users, rate in levels
        ]
        return title(run.model_copy(update={"profile": run.profile.model_copy(update={"stages": stages})}))

    assert of([(10, None), (1_200, None), (10, None)]) == "synthetic · 1 min · up to 1,200 users · 127.0.0.1:8000"
    assert of([(None, 10), (None, 30)]) == "synthetic · 1 min · up to 30/s · 127.0.0.1:8000"


def test_the_icon_of_the_tab_has_a_shape_and_a_colour_for_each_outcome() -> None:
    icons = [unquote(tab_icon(outcome)) for outcome in TAB_ICONS]
    assert len({re.findall("fill='(#.{6})'", icon)[0] for icon in icons}) == len(icons)
    assert len({shape for _, shape in TAB_ICONS.values()}) == len(icons)
    assert f'<link rel="icon" href="{tab_icon("fail")}">' in html_report(KINDS["failed"]())


def test_a_page_has_one_format_of_dates() -> None:
    html = html_report(KINDS["full"]())
    assert not re.findall(r"\d{4}-\d\d-\d\dT\d\d", text_of(html))
    assert text_of(html).count("2026-05-01 00:00:00 UTC") >= 2


def test_the_banner_says_the_value_of_a_single_failed_rule_once() -> None:
    html = html_report(run_of({"a": (200, 5.0), "slow": (100, 300.0)}, "g: p95 < 100ms", "overall: failures < 1%"))
    banner = text_of(html[html.index('<section class="verdict') : html.index('<dl class="tiles">')])
    assert re.search(
        r"g p95 30\d ms \(limit 100 ms\) Broken during the whole run by slow \(p95 30\d ms\)\. Ran", banner
    )
    both = html_report(run_of({"slow": (100, 300.0)}, "g: p95 < 100ms", "g: p99 < 200ms"))
    assert "g: p95 30" in text_of(both[: both.index('<dl class="tiles">')])


def test_the_reason_of_the_verdict_begins_with_a_capital() -> None:
    assert '<p class="reason">All ' in html_report(KINDS["full"]())
