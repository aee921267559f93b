"""Errors, counted by request name and text, with a few exemplars each, in bounded memory."""

from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from loadgate.recorder.exemplars import Exemplar

MAX_KINDS = 200
"""Maximum number of distinct (name, text) pairs. Further ones are counted as OTHER of their name."""

MAX_TEXT_CHARS = 300
OTHER = "(other errors)"

MAX_EXEMPLARS = 3
"""Number of exemplars for each error: the failed requests that ended first."""


@dataclass(slots=True)
class ErrorCount:
    """The count of one error, the epoch seconds of its first and last occurrence, and its first requests."""

    name: str
    text: str
    count: int
    first_s: float
    last_s: float
    examples: list[Exemplar] = field(default_factory=list)

    def keeps(self, end_s: float) -> bool:
        """Return whether a request that ended at `end_s` becomes one of the exemplars."""
        return len(self.examples) < MAX_EXEMPLARS or end_s < self.examples[-1].end_s

    def renamed(self, names: Mapping[str, str]) -> "ErrorCount":
        """Return a copy with its name replaced, if `names` contains it."""
        name = names.get(self.name, self.name)
        return replace(self, name=name, examples=[example.renamed(names) for example in self.examples])

    def to_row(self) -> list[Any]:
        """Return [name, text, count, first_s, last_s, exemplars], each exemplar as a row of its own."""
        examples = [example.to_row() for example in self.examples]
        return [self.name, self.text, self.count, self.first_s, self.last_s, examples]

    def add_example(self, request: Exemplar) -> None:
        """Keep a request if it is among the first ones."""
        insort(self.examples, request, key=_by_end)
        del self.examples[MAX_EXEMPLARS:]


class ErrorLog:
    """Counts of errors. The sum of all counts is exact for any number of distinct errors."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], ErrorCount] = {}

    def record(self, name: str, text: str, at_s: float, example: Callable[[], Exemplar] | None = None) -> None:
        """Count an error of request `name`, which ended at `at_s`. `example` is called only for exemplars."""
        # A known text has already been shortened, so it needs no further work.
        known = self._counts.get((name, text))
        if known is None:
            known = self._entry(name, shorten(text), at_s)
        known.count += 1
        known.first_s = min(known.first_s, at_s)
        known.last_s = max(known.last_s, at_s)
        if example is not None and known.keeps(at_s):
            known.add_example(example())

    def merge_json(self, rows: list[list[Any]]) -> None:
        """Add the rows of another log's `to_json`."""
        for name, text, count, first_s, last_s, examples in rows:
            entry = self._entry(name, text, first_s)
            entry.count += count
            entry.first_s = min(entry.first_s, first_s)
            entry.last_s = max(entry.last_s, last_s)
            for example in examples:
                entry.add_example(Exemplar(*example))

    def to_json(self) -> list[list[Any]]:
        """Return the row of each error."""
        return [error.to_row() for error in self._counts.values()]

    def most_frequent(self) -> list[ErrorCount]:
        """Return all errors, the most frequent first."""
        return sorted(self._counts.values(), key=lambda entry: (-entry.count, entry.name, entry.text))

    def _entry(self, name: str, text: str, at_s: float) -> ErrorCount:
        key = (name, text)
        if key not in self._counts and len(self._counts) >= MAX_KINDS:
            key = (name, OTHER)
        return self._counts.setdefault(key, ErrorCount(key[0], key[1], 0, at_s, at_s))


def _by_end(request: Exemplar) -> tuple[float, str]:
    return request.end_s, request.trace_id


def shorten(text: str) -> str:
    """Return the text as one line of at most MAX_TEXT_CHARS characters."""
    line = " ".join(text.split()) or "(no message)"
    return line if len(line) <= MAX_TEXT_CHARS else line[: MAX_TEXT_CHARS - 1] + "…"
