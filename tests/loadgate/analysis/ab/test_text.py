"""Sentences about changes."""

from __future__ import annotations

import pytest

from loadgate.analysis.ab.result import Change
from loadgate.analysis.ab.segments import Margins, Measure
from loadgate.analysis.ab.text import inconclusive, passed, reason, sentence
from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.interval import Interval
from tests.loadgate.analysis.ab.made_segments import FAILURES, P95


def changed(
    value: float | None, bounds: tuple[float, float] | None = None, measure: Measure = P95, *,
    outcome: RuleOutcome = RuleOutcome.INCONCLUSIVE, more_pairs: int | None = None, p_value: float | None = 0.06,
    base_ms: float = 368.0,
) -> Change:  # fmt: skip
    base = 0.002 if measure is FAILURES else base_ms
    head = None if value is None else base + value if measure is FAILURES else base * (1 + value)
    interval = None if bounds is None else Interval(*bounds, 0.95)
    return Change(measure, base, head, value, interval, p_value, (), None, more_pairs, outcome, "why")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (changed(0.12, (0.0813, 0.162)), "auth: p95 is 12.0 % slower (+8.1 to +16.2 %), 412 ms instead of 368 ms"),
        (changed(-0.12, (-0.162, -0.08)), "auth: p95 is 12.0 % faster (-16.2 to -8.0 %), 324 ms instead of 368 ms"),
        (
            changed(0.012, (-0.032, 0.0613)),
            "auth: p95 is not clearly different: +1.20 % (-3.20 to +6.13 %), 372 ms instead of 368 ms",
        ),
        (
            changed(0.00611, (0.00412, 0.0081), FAILURES),
            "auth: failures are higher by 0.611 points (+0.412 to +0.810 points), 0.811 % instead of 0.200 %",
        ),
        (
            changed(-0.001, (-0.0012, -0.0008), FAILURES),
            "auth: failures are lower by 0.100 points (-0.120 to -0.080 points), 0.100 % instead of 0.200 %",
        ),
        (
            changed(0.001, (-0.001, 0.003), FAILURES),
            (
                "auth: failures are not clearly different: "
                "+0.100 points (-0.100 to +0.300 points), 0.300 % instead of 0.200 %"
            ),
        ),
        (changed(0.12), "auth: p95 is 12.0 % slower, 412 ms instead of 368 ms; why"),
        (changed(None), "auth: p95: why"),
    ],
)
def test_a_change_is_told_with_its_interval_and_both_values(change: Change, text: str) -> None:
    assert sentence(change) == text


WIDE = (-0.01, 0.3)


@pytest.mark.parametrize(
    ("change", "is_above", "text"),
    [
        (changed(0.2, WIDE, outcome=RuleOutcome.FAIL), True, "more than 5 % slower"),
        (changed(0.2, WIDE, outcome=RuleOutcome.PASS), False, "less than 10 % slower"),
        (changed(0.2, WIDE, more_pairs=3), False, "less than 5 % and more than 10 % slower are both possible"),
        (
            changed(0.2, WIDE),
            False,
            "less than 5 % and more than 10 % slower are both possible; even 200 pairs would not decide",
        ),
        (changed(0.2, WIDE, more_pairs=3), True, "not significant, p = 0.0600 (adjusted for all rules)"),
        (changed(0.2, WIDE, p_value=None), True, "more than 5 % slower"),
        (changed(0.2, WIDE, p_value=None), False, "less than 5 % and more than 10 % slower are both possible"),
        (changed(0.2), False, "there are too few pairs for an interval"),
        (changed(0.2, WIDE, FAILURES, outcome=RuleOutcome.FAIL), True, "more than 0.1 points higher"),
        (changed(0.2, WIDE, FAILURES, outcome=RuleOutcome.PASS), False, "less than 0.5 points higher"),
        (changed(0.2, WIDE, outcome=RuleOutcome.PASS, base_ms=2.0), False, "less than 1 ms slower"),
        (changed(0.5, WIDE, outcome=RuleOutcome.FAIL, base_ms=2.0), True, "more than 0.5 ms slower"),
        (
            changed(0.2, WIDE, more_pairs=3, base_ms=2.0),
            False,
            "less than 0.5 ms and more than 1 ms slower are both possible",
        ),
        (
            changed(0.2, WIDE, more_pairs=3, base_ms=8.0),
            False,
            "less than 0.5 ms and more than 1 ms slower are both possible",
        ),
    ],
)
def test_a_reason_names_the_margin_that_decides(change: Change, is_above: bool, text: str) -> None:
    assert reason(change, Margins(), is_above_ignore=is_above) == text


def test_an_inconclusive_comparison_names_the_rule_that_needs_most_pairs() -> None:
    few, many = changed(0.012, (-0.03, 0.1), more_pairs=1), changed(0.06, (-0.1, 0.2), FAILURES, more_pairs=1200)
    assert inconclusive([few], 1) == f"{sentence(few)}; 1 more pair would decide"
    assert inconclusive([few, many], 5) == (
        f"2 of 5 rules are inconclusive; {sentence(many)}; 1,200 more pairs would decide"
    )
    never = changed(0.06, (-0.1, 0.2))
    assert inconclusive([few, never], 5) == f"2 of 5 rules are inconclusive; {sentence(never)}"


@pytest.mark.parametrize(
    ("change", "rules", "text"),
    [
        (
            changed(0.031, (0.012, 0.05)),
            4,
            (
                "all 4 rules are within their margins; the closest is auth: p95, "
                "+3.10 % (interval +1.20 to +5.00 %, margin +10 %)"
            ),
        ),
        (
            changed(0.001, (-0.001, 0.003), FAILURES),
            1,
            (
                "auth: failures are within their margin: "
                "+0.100 points (interval -0.100 to +0.300 points, margin +0.5 points)"
            ),
        ),
        (
            changed(0.1, (-0.1, 0.3), base_ms=2.0),
            1,
            "auth: p95 is within its margin: +10.0 % (interval -10.0 to +30.0 %, margin +1 ms)",
        ),
    ],
)
def test_a_pass_names_the_change_and_the_margin_of_the_closest_rule(change: Change, rules: int, text: str) -> None:
    assert passed(change, Margins(), rules) == text
