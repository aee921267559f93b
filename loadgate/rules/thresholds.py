"""Read the limits of a suite or a profile: rule lines, and thresholds such as `{"health_p95_ms": 100}`."""

import math
import re
from collections.abc import Iterable, Mapping

from loadgate.errors import LimitError
from loadgate.rules.parser import parse_rules
from loadgate.rules.types import Metric, MetricKind, Operator, Rule, Unit

_KEY = re.compile(
    r"(?P<scope>.+)_(?:p(?P<percent>\d{1,2}(?:[._]\d{1,4})?)_ms|(?P<time>mean|min|max)_ms|(?P<rate>failure_rate))"
)
KNOWN_FORMS = "<group>_p<NN>_ms, <group>_mean_ms, <group>_max_ms, <group>_failure_rate, with 'overall' for all requests"


class ThresholdError(LimitError):
    """Raised for thresholds that cannot be read. The text has one line for each key."""


def from_thresholds(thresholds: Mapping[str, float]) -> list[Rule]:
    """Return one rule for each threshold, in the order of the dictionary.

    A value must be below its limit; a failure rate with the limit 0 must be 0. Times are in milliseconds, and a failure
    rate is a fraction (0.01 is 1 %). Raises a ThresholdError that names every key that cannot be read.
    """
    if not isinstance(thresholds, Mapping):
        raise ThresholdError(f"thresholds must map keys to limits, such as {{'auth_p95_ms': 500}}, not {thresholds!r}")
    rules, problems = [], []
    for key, limit in thresholds.items():
        try:
            rules.append(_rule(key, limit))
        except ThresholdError as error:
            problems.append(str(error))
    if problems:
        raise ThresholdError("\n".join(problems))
    return rules


def _rule(key: str, limit: float) -> Rule:
    match = _KEY.fullmatch(key) if isinstance(key, str) else None
    if match is None:
        raise ThresholdError(f"unknown threshold {key!r}; the known forms are {KNOWN_FORMS}")
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit) or limit < 0:
        raise ThresholdError(f"threshold {key!r} must be a number of at least 0, not {limit!r}")
    scope = match["scope"]
    if match["rate"]:
        if limit > 1:
            raise ThresholdError(f"threshold {key!r} is a fraction between 0 and 1 (0.01 is 1 %), not {limit!r}")
        operator = Operator.LT if limit else Operator.LE
        # Round, because 0.07 * 100 is 7.000000000000001 in binary, but the limit is 7.
        return Rule(scope, Metric(MetricKind.FAILURES), operator, round(limit * 100, 10), Unit.PERCENT)
    if not limit:
        raise ThresholdError(f"threshold {key!r} must be above 0 ms")
    if match["time"]:
        return Rule(scope, Metric(MetricKind(match["time"])), Operator.LT, float(limit), Unit.MS)
    percent = float(match["percent"].replace("_", "."))
    if not percent:
        raise ThresholdError(f"threshold {key!r}: a percentile is above 0; write <group>_min_ms for the minimum")
    return Rule(scope, Metric(MetricKind.PERCENTILE, percent), Operator.LT, float(limit), Unit.MS)


def read_limits(thresholds: Mapping[str, float], lines: str | Iterable[str]) -> list[Rule]:
    """Return the rules of the thresholds, then those of the lines. Raises LimitError with every problem of both."""
    rules: list[Rule] = []
    problems: list[str] = []
    try:
        rules += from_thresholds(thresholds)
    except LimitError as error:
        problems.append(str(error))
    try:
        rules += parse_rules(lines)
    except LimitError as error:
        problems.append(str(error))
    if problems:
        raise LimitError("\n".join(problems))
    return rules
