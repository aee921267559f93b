"""Test the console output of a comparison: the conclusion is first, and lines fit in 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgate.analysis.ab.segments import MeasureKind, Metric
from loadgate.analysis.decision import RuleOutcome
from loadgate.report.ab.page import html_page
from loadgate.report.ab.summary import markdown_summary
from loadgate.report.ab.text import ab_text
from tests.loadgate.report.ab.documents import (
    HOSTILE,
    KINDS,
    change,
    document,
    failed,
    guard_broken,
    hostile,
    passed,
    result,
    two_guards_broken,
    undecided,
    without_rules,
)


def test_the_conclusion_comes_first_and_each_rule_has_a_row() -> None:
    lines = ab_text(failed(), Path("ab/ab.html"), 80).splitlines()
    assert lines[:7] == [
        "",
        "FAIL: auth p95 is 17.0 % slower: 400 ms to 468 ms (exit code 99)",
        "",
        "RULE          BASE    HEAD   CHANGE        INTERVAL  OUTCOME",
        "auth: p95   400 ms  468 ms  +17.0 %  +13.0 to +21.0  FAIL",
        "  17.0 % slower, at least 13.0 %",
        "tasks: p99  400 ms  408 ms  +2.00 %  -1.00 to +5.00  PASS",
    ]
    assert "report: ab/ab.html" in lines


MET = "Conditions of a fair comparison that are met:"


def test_the_power_the_guards_the_names_and_the_sides_follow() -> None:
    text = ab_text(failed(), None)
    assert (
        "With a probability of 80 %, 10 pairs detect a change of +6.00 % of auth: p95, +4.50 % of tasks: p99.\n"
        "p95 of request names that changed: POST /api/v1/auth/login +17.5 %.\n"
        "not compared: auth: requests > 1000 (the load decides it)\n"
        "base: main (b619dea0b619)\n"
        "head: faster-login (336552c03365, 3 uncommitted files)\n"
    ) in text
    assert f"{MET} same machine speed, same arrival rate, enough pairs.\n" in text
    assert "report:" not in text


def test_a_broken_guard_is_the_conclusion() -> None:
    text = ab_text(guard_broken(), None)
    assert text.startswith("\nINCONCLUSIVE: the control server was 3.4 % slower with head (exit code 98)\n")
    assert f"{MET} same arrival rate, enough pairs.\n" in text


def test_a_broken_guard_beside_the_conclusion_is_marked() -> None:
    text = ab_text(two_guards_broken(), None)
    assert text.count("control server was 3.4 % slower") == 1
    assert "\n! The arrival rates differ by 4 %.\n" in text


def test_an_undecided_rule_says_how_many_more_pairs_would_decide() -> None:
    text = ab_text(undecided(), None)
    assert "  too few pairs; 14 more pairs would decide\n" in text
    assert "llm: p99.9 - 12.0 ms - - INCONCLUSIVE" in [" ".join(line.split()) for line in text.splitlines()]


def test_differences_of_shares_are_in_points() -> None:
    row = next(line for line in ab_text(passed(), None).splitlines() if line.startswith("overall: failures"))
    assert " ".join(row.split()) == "overall: failures 1.00 % 1.00 % 0 points -0.100 to +0.100 PASS"


def test_a_growth_of_memory_is_in_bytes() -> None:
    growth = change("api", kind=MeasureKind.MEMORY, value=350.0, half=120.0, outcome=RuleOutcome.FAIL)
    made = document(result([growth], RuleOutcome.FAIL))
    memory = made.model_copy(update={"plan": made.plan.model_copy(update={"metric": Metric.MEMORY})})
    text = ab_text(memory, None)
    row = next(line for line in text.splitlines() if line.startswith("api: memory"))
    assert " ".join(row.split()) == "api: memory 400 B 750 B +350 B +230 B to +470 B FAIL"
    assert "detect a change of +180 B of api: memory." in text
    summary = markdown_summary(memory)
    assert "| api: memory | 400 B | 750 B | +350 B | +230 B to +470 B | FAIL |" in summary
    assert "is ignored up to +100 B, and is too large from +200 B." in summary
    assert "--metric memory --ignore-bytes 100 --seed" in summary
    assert "--worse" not in summary
    page = html_page(memory)
    assert "Change in bytes per request" in page
    assert ">+100</text>" in page
    assert ">+200</text>" in page


def test_a_comparison_without_rules_says_so() -> None:
    text = ab_text(without_rules(), None)
    assert text.startswith(
        "\nINCONCLUSIVE: the suite has no rule to compare (exit code 98)\n\nno rule can be compared\n"
    )
    assert "With a probability" not in text


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("kind", KINDS)
def test_lines_fit_into_the_terminal(kind: str, columns: int) -> None:
    lines = ab_text(KINDS[kind](), Path("ab/ab.html"), columns).splitlines()
    # A single long word is not broken.
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []


@pytest.mark.parametrize("columns", [None, 80])
def test_text_from_outside_is_printed_without_control_characters(columns: int | None) -> None:
    text = ab_text(hostile(), None, columns)
    assert all(line.isprintable() for line in text.splitlines())
    assert "\x1b" in HOSTILE
    assert "\u202e" in HOSTILE
