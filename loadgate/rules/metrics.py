"""Parse the metric of a rule."""

from __future__ import annotations

import re

from loadgate.rules.types import Metric, MetricKind

MAX_PERCENTILE_DECIMALS = 4
"""A percentile with more decimals could be rounded to 100 when it is printed or stored."""

_METRICS = (
    "p50 to p99.99, mean, min, max, failures, requests, throughput, recovery, or a quantity with growth or lasts, such "
    "as 'open_files growth'"
)
_WORD = re.compile(r"[^\s<>=]+")
_PERCENTILE = re.compile(r"p\d+(\.\d+)?")
_QUANTITY = re.compile(r"(?P<quantity>[^\W\d][\w.]*)\s+(?P<kind>growth|lasts)(?!\w)", re.IGNORECASE)
_NEEDS_QUANTITY = {MetricKind.GROWTH, MetricKind.LASTS}
_WORDS = set(MetricKind) - _NEEDS_QUANTITY - {MetricKind.PERCENTILE, MetricKind.CAPACITY}


class RuleSyntaxError(ValueError):
    """Raised for a part of a rule that cannot be read: character `at`, and the character `end` after the part."""

    def __init__(self, at: int, message: str, end: int | None = None) -> None:
        self.at = at
        self.end = at if end is None else end
        super().__init__(message)


def parse_metric(text: str, at: int) -> tuple[Metric, int]:
    """Return the metric at character `at`, and the character after it.

    Raises:
        RuleSyntaxError: There is no metric.
    """
    if (match := _QUANTITY.match(text, at)) is not None:
        return Metric(MetricKind(match["kind"].lower()), quantity=match["quantity"]), match.end()
    match = _WORD.match(text, at)
    if match is None:
        raise RuleSyntaxError(at, f"expected a metric: {_METRICS}")
    word = match[0].lower()
    if word in _WORDS:
        return Metric(MetricKind(word)), match.end()
    if _PERCENTILE.fullmatch(word):
        return Metric(MetricKind.PERCENTILE, _percent(word, match)), match.end()
    if word == MetricKind.CAPACITY:
        raise RuleSyntaxError(at, "a capacity has no scope; write 'capacity >= 150/s'", match.end())
    if word in _NEEDS_QUANTITY:
        expected = f"expected a quantity before {match[0]!r}, such as 'memory {word}'"
        raise RuleSyntaxError(at, expected, match.end())
    raise RuleSyntaxError(at, f"unknown metric {match[0]!r}, expected {_METRICS}", match.end())


def _percent(word: str, match: re.Match[str]) -> float:
    if not 0 < float(word[1:]) < 100:
        wrong = f"a percentile is above 0 and below 100, not {match[0]!r}; write min or max"
    elif len(word.partition(".")[2]) > MAX_PERCENTILE_DECIMALS:
        wrong = f"a percentile has at most {MAX_PERCENTILE_DECIMALS} decimals, not {match[0]!r}"
    else:
        return float(word[1:])
    raise RuleSyntaxError(match.start(), wrong, match.end())
