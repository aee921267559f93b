"""Count streamed requests whose latency ends with their headers, for a note in the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

MAX_NAMES_KEPT = 50
MAX_LISTED_NAMES = 3
OTHER = "(other names)"


class FirstBytes:
    """The counts of streamed requests whose latency ends with their headers, by name and in bounded memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Add `count` requests of a name."""
        if name not in self._counts and len(self._counts) >= MAX_NAMES_KEPT:
            name = OTHER
        self._counts[name] += count

    def take(self) -> dict[str, int]:
        """Return and reset the counts since the last call, for the report to the master."""
        counts, self._counts = dict(self._counts), Counter()
        return counts

    def merge(self, counts: Mapping[str, int]) -> None:
        """Add the counts from a worker's `take`."""
        for name, count in counts.items():
            self.add(name, count)

    def remarks(self) -> list[str]:
        """Return a sentence that lists these requests. Empty if there are none."""
        if not self._counts:
            return []
        listed = ", ".join(f"{count} of {name}" for name, count in self._counts.most_common(MAX_LISTED_NAMES))
        more = len(self._counts) - MAX_LISTED_NAMES
        and_more = f" and of {more} more names" if more > 0 else ""
        fact = (
            "the latencies of these streamed responses end with the headers, because no `with` block read the body to "
            "its end"
        )
        return [f"{fact}: {listed}{and_more}"]
