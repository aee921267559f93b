"""Parse the limit of a rule, whose form depends on its metric."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loadgate.rules.metrics import RuleSyntaxError
from loadgate.rules.types import Metric, MetricKind, Unit
from loadgate.units import UNIT_S, count, plain

MAX_LIMIT = 10**15

_NUMBER = r"(?P<number>\d+(?:\.\d+)?)\s*"
_END = r"(?![\w.%/])"
_SIZES = {"": 1.0, "kb": 1e-3, "mb": 1.0, "gb": 1e3, "kib": 2**10 / 1e6, "mib": 2**20 / 1e6, "gib": 2**30 / 1e6}
"""How many MB each size unit has."""

_HOURS = {"s": 1 / 3600, "min": 1 / 60, "m": 1 / 60, "h": 1.0, "d": 24.0}
_LIMIT = re.compile(rf"{_NUMBER}(?P<unit>us|ms|min|s|%|/\s*s)?{_END}", re.IGNORECASE)
_GROWTH = re.compile(rf"{_NUMBER}(?P<size>[kmg]i?b)?\s*/\s*(?P<unit>s|min|m|h|d){_END}", re.IGNORECASE)
_LENGTH = re.compile(rf"{_NUMBER}(?P<unit>s|min|m|h|d){_END}", re.IGNORECASE)
_CAPACITY = re.compile(rf"\s*of\s+{_NUMBER}(?P<size>[kmg]i?b)?{_END}", re.IGNORECASE)
_FACTOR = re.compile(rf"{_NUMBER}(?P<unit>x){_END}", re.IGNORECASE)
_WORD = re.compile(r"[^\s<>=]+")


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in `unit`. `end` is the character after it. `capacity` is in MB if `in_mb`."""

    value: float
    unit: Unit
    end: int
    capacity: float | None = None
    in_mb: bool = False


def parse_limit(text: str, at: int, metric: Metric, *, compares: bool) -> Limit:
    """Return the limit at character `at`. `compares` means that the rule compares two stages.

    Raises:
        RuleSyntaxError: There is no limit in the form that the metric needs.
    """
    if compares:
        hint = "; a limit for one stage ends with 'in <stage>'"
        match = _matched(_FACTOR, text, at, "expected a factor to compare two stages, such as 1.1x", hint)
        return Limit(float(match["number"]), Unit.TIMES, match.end())
    if metric.kind is MetricKind.GROWTH:
        return _growth(text, at)
    if metric.kind is MetricKind.LASTS:
        return _lasts(text, at)
    if metric.kind is MetricKind.RECOVERY:
        match = _matched(_LENGTH, text, at, "expected a length of time, such as 30s or 2min")
        return Limit(_hours(match) * 3600, Unit.SECONDS, match.end())
    return _of_requests(text, at, metric)


def _growth(text: str, at: int) -> Limit:
    match = _matched(_GROWTH, text, at, "expected a growth, such as 5MB/h or 1/min")
    size = (match["size"] or "").lower()
    per_hour = float(match["number"]) * _SIZES[size] / _HOURS[match["unit"].lower()]
    return Limit(round(per_hour, 9), Unit.MB_PER_HOUR if size else Unit.PER_HOUR, match.end())


def _lasts(text: str, at: int) -> Limit:
    match = _matched(_LENGTH, text, at, "expected a length of time, such as 7d")
    of = _CAPACITY.match(text, match.end())
    if of is None:
        raise RuleSyntaxError(match.end(), "expected the limit of the resource, such as 'of 512MB'")
    size = (of["size"] or "").lower()
    capacity = round(float(of["number"]) * _SIZES[size], 9)
    if not capacity:
        raise RuleSyntaxError(of.start("number"), "the limit of a resource is above 0")
    return Limit(_hours(match) / 24, Unit.DAYS, of.end(), capacity, in_mb=bool(size))


def _hours(match: re.Match[str]) -> float:
    return float(match["number"]) * _HOURS[match["unit"].lower()]


def _of_requests(text: str, at: int, metric: Metric) -> Limit:
    match = _matched(_LIMIT, text, at, "expected a limit, such as 500ms, 1.5s, 1%, 100 or 50/s")
    number = float(match["number"])
    unit = re.sub(r"\s", "", match["unit"] or "").lower()
    unit_at = match.start("unit") if unit else match.end("number")
    value, kind = _in_unit(metric, number, unit, unit_at)
    if kind is Unit.COUNT and number != int(number):
        rate = f"; write {plain(number)}% for a failure rate" if metric.kind is MetricKind.FAILURES else ""
        raise RuleSyntaxError(at, f"a number of {metric} is a whole number, not {plain(number)}{rate}")
    return Limit(value, kind, match.end())


def _in_unit(metric: Metric, number: float, unit: str, at: int) -> tuple[float, Unit]:
    if metric.kind.is_latency:
        if unit not in UNIT_S:
            raise RuleSyntaxError(at, f"{metric} is a time and needs a unit: us, ms, s or min")
        return round(number * UNIT_S[unit] * 1000, 9), Unit.MS
    allowed = {
        MetricKind.FAILURES: {"%": Unit.PERCENT, "": Unit.COUNT},
        MetricKind.THROUGHPUT: {"/s": Unit.PER_SECOND},
        MetricKind.CAPACITY: {"/s": Unit.PER_SECOND},
    }.get(metric.kind, {"": Unit.COUNT})
    if unit not in allowed:
        wanted = " or ".join(f"'{name}'" if name else "no unit" for name in allowed)
        raise RuleSyntaxError(at, f"{metric} takes {wanted}" + (f", not {unit!r}" if unit else ""))
    return number, allowed[unit]


def _matched(pattern: re.Pattern[str], text: str, at: int, expected: str, hint: str = "") -> re.Match[str]:
    match = pattern.match(text, at)
    if match is None:
        word = _WORD.match(text, at)
        raise RuleSyntaxError(at, expected + (f", not {word[0]!r}" if word else "") + hint)
    if float(match["number"]) > MAX_LIMIT:
        raise RuleSyntaxError(at, f"a limit is at most {count(MAX_LIMIT)}")
    return match
