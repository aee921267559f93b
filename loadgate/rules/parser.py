"""The grammar of rule lines, and its parser.

    rules     ::= { line }                       one rule per line; blank lines and lines that begin with # are skipped
    line      ::= scope ":" ( requests | resource | recovery | compared ) | capacity
    requests  ::= metric operator limit [ "over" duration ] [ "in" stage ] [ "abort" ]
    resource  ::= quantity "growth" operator growth
                | quantity "lasts" operator length "of" number [ size ]
    recovery  ::= "recovery" operator length "after" stage
    compared  ::= percentile stage operator number "x" stage
    capacity  ::= "capacity" operator number "/s" judged by a search for the capacity, not by a run
    scope     ::= any text                       ends at the last ":" of the line, so a request name can contain ":"
    metric    ::= percentile | "mean" | "min" | "max" | "failures" | "requests" | "throughput"
    percentile::= "p" number                     above 0 and below 100, at most four decimals: p50, p95, p99.9
    operator  ::= "<" | "<=" | ">" | ">="
    limit     ::= number [ unit ]                at most 1e15
    unit      ::= "us" | "ms" | "s" | "min"      required for percentiles, mean, min and max
                | "%"                            for failures; without it the limit is a number of failures
                | "/s"                           required for throughput
    duration  ::= { number ( "h" | "m" | "s" ) } whole seconds: 10s, 5m, 1h30m
    stage     ::= any text to the end of the line, or to "abort"; not for throughput
    quantity  ::= a word                         such as memory, threads, open_files, connections
    growth    ::= number [ size ] "/" ( "s" | "min" | "h" | "d" )
    length    ::= number ( "s" | "min" | "h" | "d" )
    size      ::= "KB" | "MB" | "GB" | "KiB" | "MiB" | "GiB"
    number    ::= digit { digit } [ "." digit { digit } ]

Keywords and units are case-insensitive. Spaces between the parts are optional.
"""

from collections.abc import Iterable

from loadgate.errors import LimitError
from loadgate.rules.line_parser import LineParser, RuleError
from loadgate.rules.types import Rule


class RuleErrors(LimitError):  # noqa: N818 - it holds several
    """Raised with all errors of a list of rules. The text has one line for each error."""

    def __init__(self, errors: list[RuleError]) -> None:
        self.errors = errors
        super().__init__("\n".join(map(str, errors)))


def parse_rules(lines: str | Iterable[str]) -> list[Rule]:
    """Parse rule lines, or one text with several lines. Raises RuleErrors with every error."""
    rules: list[Rule] = []
    errors: list[RuleError] = []
    for number, line in enumerate(lines.splitlines() if isinstance(lines, str) else lines, start=1):
        if not isinstance(line, str):
            errors.append(RuleError(number, 1, "a rule is a string, such as 'auth: p95 < 500ms'", repr(line)))
            continue
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parser = LineParser(line.rstrip(), number)
        rule = parser.parse()
        errors += parser.errors
        if rule is not None and not parser.errors:
            rules.append(rule)
    if errors:
        raise RuleErrors(errors)
    return rules
