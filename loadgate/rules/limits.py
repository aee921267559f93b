"""The limits of a suite or a profile: its thresholds and its rule lines, read together."""

from collections.abc import Iterable, Mapping

from loadgate.errors import LimitError
from loadgate.rules.parser import parse_rules
from loadgate.rules.thresholds import from_thresholds
from loadgate.rules.types import Rule


def read_limits(thresholds: Mapping[str, float], lines: str | Iterable[str]) -> list[Rule]:
    """The rules of both, thresholds first. Raises LimitError with all that is wrong in either."""
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
