"""Test the page of a comparison: the conclusion first, changes on one axis, no scripts, no external resources."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from loadgate.analysis.ab.segments import MeasureKind
from loadgate.report.ab.axis import WIDTH, Axis, Plot
from loadgate.report.ab.document import AbDocument
from loadgate.report.ab.page import folder_link, html_page, pair_number, row_unit
from tests.loadgate.report.ab.documents import KINDS, change, failed, hostile, huge, many_rules, passed, unmeasured
from tests.loadgate.report.runs import text_of
from tests.support.pages import Balance, hash_of


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("passed", ["PASS Comparison medium no rule is more than 10 % slower;", "0 points -0.100 to +0.100 points"]),
        (
            "failed",
            [
                "FAIL Comparison medium auth p95 is 17.0 % slower: 400 ms to 468 ms",
                "FAIL 17.0 % slower, at least 13.0 % auth: p95 400 ms 468 ms +17.0 % +13.0 to +21.0 %",
                "With a probability of 80 %, 10 pairs detect a change of +6.00 % of auth: p95, +4.50 % of tasks: p99.",
                "changed POST /api/v1/auth/login 400 ms 470 ms +17.5 % +12.0 to +23.0 %",
                "auth: requests > 1000 (the load decides it)",
                "overall: mean 400 ms 376 ms -6.00 % -9.00 to -3.00 %",
                "Head faster-login (336552c03365, 3 uncommitted files)",
                "ignored up to +5 % or +0.5 ms, and is too large from +10 % and +1 ms.",
                "A change of the failures is ignored up to +0.1 points, and is too large from +0.5 points.",
                "Head commit 336552c0336552c0336552c0336552c0336552c0",
                "10 compared; planned: 10, and as many again if they do not decide",
                "loadgate ab b619dea0b619 --profile medium --rate 20/s --pairs 10 --measure 20s",
                "It needs the working tree with 3 uncommitted files, which no commit has.",
                "python 3.12.1, locust 2.47.0",
            ],
        ),
        (
            "undecided",
            [
                "INCONCLUSIVE base has no successful requests llm: p99.9 - 12.0 ms - -",
                "too few pairs; 14 more pairs would decide",
            ],
        ),
        ("guard_broken", ["NOT MET same machine speed 3.40 % 2 % The control server was 3.4 % slower with head."]),
        (
            "without_rules",
            [
                "INCONCLUSIVE Comparison medium the suite has no rule to compare The comparison is not finished.",
                *(
                    "No rule can be compared",
                    "The power is unknown",
                    "No condition was checked.",
                    "No segment was measured.",
                ),
            ],
        ),
    ],
)
def test_the_page_describes_each_kind_of_comparison(kind: str, said: list[str]) -> None:
    told = text_of(html_page(KINDS[kind]()))
    assert [sentence for sentence in said if sentence not in told] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_conclusion_comes_first_and_the_markup_is_balanced(kind: str) -> None:
    html = html_page(KINDS[kind]())
    checker = Balance()
    checker.feed(html)
    assert (checker.wrong, checker.open) == ([], [])
    body = text_of(html[html.index("<main>") :])
    parts = ("Comparison", "Rules", "Power", "Conditions of a fair comparison", "Pairs", "Plan and sides")
    order = [body.index(part) for part in parts]
    assert order == sorted(order)


def test_the_pairs_have_their_unit_in_the_row() -> None:
    html = html_page(failed())
    table = html[html.index("The change of each pair as a table") :]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table)
    assert {name.rpartition(", ")[2] for name, _ in rows} == {"%"}
    numbers = [cell for _, cells in rows for cell in re.findall(r"<td>(.*?)</td>", cells)]
    assert all(re.fullmatch(r"[+-]?[\d.,]+|-", number) for number in numbers)
    assert len(numbers) > len(rows)
    share, memory = (change("api", None, kind=kind) for kind in (MeasureKind.FAILURES, MeasureKind.MEMORY))
    assert (row_unit(share), pair_number(0.002, share)) == ("points", "+0.200")
    assert (row_unit(memory), pair_number(2000.0, memory)) == ("", "+2.00 kB")


@pytest.mark.parametrize("made", [hostile, huge])
def test_text_from_outside_stays_text_and_is_cut(made: Callable[[], AbDocument]) -> None:
    html = html_page(made())
    assert "<script" not in html
    assert "<b>" not in html
    assert set(re.findall(r'<a href="([^#][^"]*)"', html)) <= {f"segments/{n:02d}-{s}/" for n in range(1, 11) for s in
                                                            ("base", "head")}  # fmt: skip
    assert max(map(len, re.findall(r"[^<>]+", re.sub(r"(?s)<style>.*?</style>", "", html)))) < 3000
    assert "\u202e" not in html


def test_the_policy_allows_only_the_own_style() -> None:
    html = html_page(failed())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    (style,) = re.findall(r"(?s)<style>(.*?)</style>", html)
    assert policy.replace("&#39;", "'").split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src {hash_of(style)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.findall(r"""(?:src|srcset)=|url\(|@import|\bstyle="|\son\w+=""", html)


def test_each_rule_is_drawn_with_its_interval_margins_and_pairs() -> None:
    html = html_page(failed())
    drawings = re.findall(
        r'(?s)<svg class="drawn" viewBox="0 0 300.0 48.0" role="img" aria-label="([^"]*)">(.*?)</svg>', html
    )
    assert [" ".join(label.split()) for label, _ in drawings] == [
        "+17.0 %, interval +13.0 to +21.0 %; pairs from +14.3 % to +19.7 %",
        "+2.00 %, interval -1.00 to +5.00 %; pairs from 0 % to +4.00 %",
        "+1.00 %, interval -2.00 to +4.00 %; pairs from -1.00 % to +3.00 %",
        "-6.00 %, interval -9.00 to -3.00 %; pairs from -8.00 % to -4.00 %",
    ]
    for _, drawing in drawings:
        assert drawing.count("<circle") == 10
        for mark in ("zone worse", "margin ignored", "zero", "interval", "estimate"):
            assert drawing.count(f'class="{mark}"') == 1
    for mark in ("zone worse", "margin ignored", "margin", "zero"):
        assert len({*re.findall(rf'class="{mark}" (?:x|d)="(\S+)', " ".join(drawing for _, drawing in drawings))}) == 1


def test_failures_have_an_axis_of_their_own() -> None:
    html = html_page(passed())
    titles = re.findall(r'<th scope="col" class="plot">([^<]*)\n<svg class="scale"', html)
    assert titles == ["Change in percent", "Change in percentage points", "Change in percent"]


def test_a_rule_without_a_value_has_no_marks() -> None:
    plot = Plot.of(unmeasured(), Axis.of([unmeasured()], 0.05, 0.1), (0.05, 0.1))
    assert (plot.estimate, plot.interval, plot.dots) == ("", "", [])


def test_the_axis_contains_margins_intervals_and_near_pairs() -> None:
    axis = Axis.of([change(value=0.02, half=0.03)], 0.05, 0.1)
    assert (axis.low, axis.high) == (-0.1, 0.2)
    assert (axis.at(-0.1), axis.at(0.05), axis.at(0.2)) == (12.0, 150.0, 288.0)
    assert axis.ticks() == [
        (12.0, "-10"),
        (58.0, "-5"),
        (104.0, "0"),
        (150.0, "+5"),
        (196.0, "+10"),
        (242.0, "+15"),
        (288.0, "+20"),
    ]
    assert axis.margins() == ["+5", "+10"]


def test_a_margin_that_is_not_on_the_axis_is_not_drawn() -> None:
    axis = Axis.of([change(value=0.02, half=0.03)], 0.05, 0.1)
    plot = Plot.of(change(value=0.02, half=0.03), axis, (0.05, 0.5))
    assert (plot.ignore, plot.worse) == (axis.at(0.05), None)
    judged = failed().result
    fast = replace(judged, rules=(replace(judged.rules[0], base=1.0, head=1.17), *judged.rules[1:]))
    html = html_page(failed().model_copy(update={"result": fast}))
    assert html.count('class="zone worse"') == html_page(failed()).count('class="zone worse"') - 1


def test_a_pair_far_away_is_drawn_at_the_end_of_the_axis() -> None:
    wild = change(value=0.02, half=0.03, wild=9.0)
    axis = Axis.of([wild], 0.05, 0.1)
    assert axis.high == pytest.approx(0.5)
    dots = Plot.of(wild, axis, (0.05, 0.1)).dots
    assert [dot.is_beyond for dot in dots] == [False] * 10 + [True]
    assert dots[-1].x == WIDTH - 12.0
    assert 'class="pair beyond"' in html_page(failed().model_copy(update={"result": KINDS["wild"]().result}))


@pytest.mark.parametrize(
    ("value", "half", "estimate", "interval"),
    [
        (20.0, 1.5, "M288.0 5.0l8 5L288.0 15.0z", "M300.0 10.0H300.0"),
        (0.9, 0.4, "M262.9 5.0l5 5", "M162.5 10.0H300.0M162.5 6.0v8"),
        (-2.0, 0.1, "M12.0 5.0l-8 5L12.0 15.0z", "M0.0 10.0H0.0"),
    ],
)
def test_a_change_beyond_the_axis_is_a_triangle_at_its_end(
    value: float, half: float, estimate: str, interval: str
) -> None:
    items = [change(value=value, half=half), change(value=20.0)]
    axis = Axis.of(items, 0.05, 0.1)
    assert (axis.low, axis.high) == (-1.0 if value < 0 else -0.1, 1.0)
    # The margins are far enough from each other to be seen.
    assert axis.at(0.1) - axis.at(0.05) >= 6
    plot = Plot.of(items[0], axis, (0.05, 0.1))
    assert plot.estimate.startswith(estimate)
    assert plot.interval.startswith(interval)


def test_pairs_that_were_left_out_have_a_column() -> None:
    html = html_page(many_rules())
    (table,) = re.findall(r'(?s)<table class="over-time">.*?</table>', html)
    cells = {len(re.findall("<t[hd]", row)) for row in re.findall(r"(?s)<tr>.*?</tr>", table)}
    assert cells == {21}
    assert "17 compared, 3 left out; planned: 10" in text_of(html)


def test_nothing_is_said_only_on_hover() -> None:
    assert " title=" not in html_page(failed())


def test_an_interval_without_a_bound_reaches_the_end() -> None:
    half_known = change(high=None)
    assert Plot.of(half_known, Axis.of([half_known], 0.05, 0.1), (0.05, 0.1)).interval == "M94.8 10.0H300.0M94.8 6.0v8"


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.3, 40.0, -0.999])
def test_ticks_are_round_numbers_that_do_not_overlap(value: float) -> None:
    ticks = Axis.of([change(value=value, half=abs(value) / 3, kind=MeasureKind.FAILURES)], 0.0, 0.0).ticks()
    assert 2 <= len(ticks) <= 7
    assert min(b[0] - a[0] for a, b in pairwise(ticks)) >= 44
    assert max(len(label) for _, label in ticks) <= 7


@pytest.mark.parametrize(
    ("folder", "link"),
    [("segments/01-base", "segments/01-base/"), ("", ""), ("/etc", ""), ("..", ""), ("a/../..", ""), ("a b", ""),
     ("javascript:alert(1)", ""), ("//evil.example", ""), ("a\n", "")],
)  # fmt: skip
def test_only_folders_inside_are_links(folder: str, link: str) -> None:
    assert folder_link(folder) == link
