"""Selectors of Prometheus samples: a metric name with optional matchers of labels.

    selector ::= name [ "{" [ matcher { "," matcher } [ "," ] ] "}" ]
    matcher  ::= label ( "=" | "!=" | "=~" | "!~" ) string
    string   ::= a text in double or single quotes, with the escapes \\\\ \\" \\' and \\n

As in Prometheus, a regular expression must match the whole value, and a missing label has the value "".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from loadgate.regular_expression import regular_expression

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"

_NAME = re.compile(rf"\s*({NAME})\s*")
_MATCHER = re.compile(rf"""\s*({LABEL})\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*(,|(?=\}}))""")
_END = re.compile(r"\s*\}\s*\Z")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class SelectorError(ValueError):
    """Raised for a text that is not a selector. The message is one line."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label. `pattern` is set for `=~` and `!~`."""

    label: str
    value: str
    negated: bool
    pattern: re.Pattern[str] | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether a sample with these labels meets the condition."""
        value = labels.get(self.label, "")
        is_equal = value == self.value if self.pattern is None else self.pattern.fullmatch(value) is not None
        return is_equal != self.negated


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric name and the conditions on the labels of its samples."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether a sample of the metric is selected."""
        return all(matcher.matches(labels) for matcher in self.matchers)


def parse_selector(text: str) -> Selector:
    """Parse a selector. Raises SelectorError."""
    name = _NAME.match(text)
    if name is None:
        raise SelectorError(f"{text!r} does not begin with a metric name")
    position = name.end()
    if position == len(text):
        return Selector(name[1])
    if text[position] != "{":
        raise SelectorError(f"{text!r}: expected '{{' or the end at character {position + 1}")
    position += 1
    matchers: list[Matcher] = []
    while not _END.match(text, position):
        found = _MATCHER.match(text, position)
        if found is None:
            raise SelectorError(f"{text!r}: expected label=\"value\" or '}}' at character {position + 1}")
        matchers.append(_matcher(text, found[1], found[2], unescaped(found[3][1:-1])))
        position = found.end()
    return Selector(name[1], tuple(matchers))


def _matcher(text: str, label: str, operator: str, value: str) -> Matcher:
    if label == "__name__":
        raise SelectorError(f"{text!r}: write the metric name before the braces instead of __name__")
    if not operator.endswith("~"):
        return Matcher(label, value, negated=operator == "!=")
    try:
        pattern = regular_expression(value, re.DOTALL)
    except ValueError as error:
        raise SelectorError(f"{text!r}: {error}") from error
    return Matcher(label, value, negated=operator == "!~", pattern=pattern)


def unescaped(text: str) -> str:
    r"""Return a quoted text without its escapes. `\n` is a line break, and other characters stand for themselves."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text)
