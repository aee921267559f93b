"""Read the limits of a suite or a profile: its thresholds and its rule lines."""

from collections.abc import Iterable, Mapping

from loadgate.errors import LimitError
from loadgate.rules.parser import parse_rules
from loadgate.rules.thresholds import from_thresholds
from loadgate.rules.types import Rule


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
