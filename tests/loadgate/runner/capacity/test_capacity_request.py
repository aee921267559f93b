"""The arguments of `loadgate capacity`, and the rules that decide."""

from __future__ import annotations

import pytest

from loadgate.runner.capacity.criteria import FAILURES, judged_rules
from loadgate.runner.capacity.request import CapacityError, CapacityRequest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first": "fast"}, "--from: 'fast' is not one arrival rate"),
        ({"first": "5"}, "--from: '5' has no unit; did you mean 5/s?"),
        ({"first": "0/s"}, "--from: '0/s' is not one arrival rate above 0"),
        ({"first": "1..9/s"}, "--from: '1..9/s' is not one arrival rate above 0"),
        ({"to": "1..9/s over 1m"}, "--to: '1..9/s over 1m' is not one arrival rate above 0; write it like 50/s"),
        ({"at_least": "2000000/s"}, "--at-least: '2000000/s' is above 1,000,000/s"),
        ({"first": "10/s", "to": "9/s"}, "--from 10/s must not be above --to 9/s"),
        ({"width": 0.001}, "--width 0.1%: must be from 1% to 100%"),
        ({"trial_s": 20.5}, "whole seconds"),
        ({"trial_s": 5.0}, "--trial 5s: must be at least 10s"),
        ({"confirm_s": 20.0}, "--confirm 20s: must be at least as long as --trial 30s"),
        ({"budget_s": 159.0}, "--budget 2m39s: must be at least 2m40s, the time of one trial and the confirmation"),
        (
            {"budget_s": 34.0, "at_least": "5/s"},
            "--budget 34s: must be at least 35s, the time of a trial with --settle",
        ),
        ({"host": "localhost"}, "the host 'localhost' is not an http:// or https:// address"),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(CapacityError) as error:
        CapacityRequest(**changes).check()  # type: ignore[arg-type]
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_rates_have_units() -> None:
    request = CapacityRequest(first="90/min", to="300/s")
    request.check()
    assert (request.first_per_s, request.to_per_s, request.at_least_per_s) == (1.5, 300, None)


def test_percentiles_and_failures_become_shares() -> None:
    judged, unjudged = judged_rules(["auth: p95 < 500ms", "overall: failures < 1%", "auth: p99.9 <= 2s"])
    assert [(item.criterion.rule, item.criterion.limit, item.limit_ms) for item in judged] == [
        ("auth: p95 < 500ms", 0.05, 500),
        ("overall: failures < 1%", 0.01, None),
        ("auth: p99.9 <= 2s", 0.001, 2000),
    ]
    assert unjudged == []


def test_failures_are_judged_without_a_rule() -> None:
    judged, _ = judged_rules(["auth: failures < 1%"])
    assert [item.criterion.rule for item in judged] == ["auth: failures < 1%", FAILURES]


@pytest.mark.parametrize(
    "rule",
    [
        "auth: p95 < 500ms over 10s",
        "auth: p95 < 500ms in ramp",
        "auth: mean < 100ms",
        "overall: requests > 10",
        "overall: failures <= 3",
        "auth: p95 after < 1.1x before",
        "api: memory growth < 5MB/h",
        "auth: p50 > 1ms",
    ],
)
def test_other_rules_are_named_with_a_reason(rule: str) -> None:
    judged, (unjudged,) = judged_rules([rule])
    assert [item.criterion.rule for item in judged] == [FAILURES]
    assert unjudged.rule == rule
    assert unjudged.reason
