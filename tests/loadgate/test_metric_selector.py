"""Test the selectors of Prometheus samples."""

from __future__ import annotations

import pytest

from loadgate.metric_selector import Selector, SelectorError, parse_selector

LABELS = {"pool": "read", "state": "checked_out"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("pool", True),
        ("  pool  ", True),
        ("pool{}", True),
        ('pool{state="checked_out"}', True),
        ("pool{state='checked_out'}", True),
        ('pool{state="checked"}', False),
        ('pool{state=~"checked"}', False),  # a regular expression must match the whole value
        ('pool{state=~"checked.*|idle"}', True),
        ('pool{state!~"idle|size"}', True),
        ('pool{state!="checked_out"}', False),
        ('pool{state="checked_out",pool!="write",}', True),
        ('pool { state = "checked_out" , pool = "write" }', False),
        ('pool{missing=""}', True),
        ('pool{missing!=""}', False),
        ('pool{missing=~".*"}', True),
    ],
)
def test_a_selector_matches_as_in_prometheus(text: str, matches: bool) -> None:
    selector = parse_selector(text)
    assert selector.metric == "pool"
    assert selector.matches(LABELS) is matches


def test_values_can_contain_quotes_braces_and_line_breaks() -> None:
    selector = parse_selector(r'a:b_1{text="say \"}\", \\ and \n",other=",}"}')
    assert selector.metric == "a:b_1"
    assert selector.matches({"text": 'say "}", \\ and \n', "other": ",}"})


def test_a_selector_without_matchers_is_a_name() -> None:
    assert parse_selector("up") == Selector("up")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "does not begin with a metric name"),
        ('{state="x"}', "does not begin with a metric name"),
        ("1up", "does not begin with a metric name"),
        ("up down", "expected '{' or the end at character 4"),
        ("up{", "at character 4"),
        ("up{state}", "at character 4"),
        ('up{state="x"', "at character 4"),
        ('up{state="x" pool="y"}', "at character 4"),
        ('up{state="x"} 5', "at character 13"),
        ('up{state=~"("}', "is not a regular expression"),
        ('up{__name__="x"}', "instead of __name__"),
    ],
)
def test_an_error_says_where_it_is(text: str, problem: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_selector(text)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
