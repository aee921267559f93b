"""What went wrong, counted by request name and error text, in bounded space."""

from dataclasses import dataclass
from typing import Any

MAX_KINDS = 200
"""Distinct (name, text) pairs that are kept; further ones are counted under OTHER of their name."""

MAX_TEXT_CHARS = 300
OTHER = "(other errors)"


@dataclass(slots=True)
class ErrorCount:
    """How often one error came, and the epoch seconds of its first and last time."""

    name: str
    text: str
    count: int
    first_s: float
    last_s: float


class ErrorLog:
    """Counts of errors; the sum of all counts is exact whatever the number of kinds."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], ErrorCount] = {}

    def record(self, name: str, text: str, at_s: float) -> None:
        """Count one error of request `name`."""
        # The usual case first: a known text needs no cleaning.
        known = self._counts.get((name, text))
        if known is None:
            known = self._entry(name, shorten(text), at_s)
        known.count += 1
        known.first_s = min(known.first_s, at_s)
        known.last_s = max(known.last_s, at_s)

    def merge_json(self, rows: list[list[Any]]) -> None:
        """Add what `to_json` of another log described."""
        for name, text, count, first_s, last_s in rows:
            entry = self._entry(name, text, first_s)
            entry.count += count
            entry.first_s = min(entry.first_s, first_s)
            entry.last_s = max(entry.last_s, last_s)

    def to_json(self) -> list[list[Any]]:
        """Rows of [name, text, count, first_s, last_s]."""
        return [[e.name, e.text, e.count, e.first_s, e.last_s] for e in self._counts.values()]

    def most_frequent(self) -> list[ErrorCount]:
        """All kinds, the most frequent first."""
        return sorted(self._counts.values(), key=lambda entry: (-entry.count, entry.name, entry.text))

    def _entry(self, name: str, text: str, at_s: float) -> ErrorCount:
        key = (name, text)
        if key not in self._counts and len(self._counts) >= MAX_KINDS:
            key = (name, OTHER)
        return self._counts.setdefault(key, ErrorCount(key[0], key[1], 0, at_s, at_s))


def shorten(text: str) -> str:
    """One line of at most MAX_TEXT_CHARS characters."""
    line = " ".join(text.split()) or "(no message)"
    return line if len(line) <= MAX_TEXT_CHARS else line[: MAX_TEXT_CHARS - 1] + "…"
