"""Which requests were timed until the first byte of a streamed answer alone, for a sentence in the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

MAX_NAMES_KEPT = 50
MAX_NAMES_SAID = 3
OTHER = "(other names)"


class FirstBytes:
    """Counts of such requests by name, in bounded space."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count some more of a name."""
        if name not in self._counts and len(self._counts) >= MAX_NAMES_KEPT:
            name = OTHER
        self._counts[name] += count

    def take(self) -> dict[str, int]:
        """Return the counts since the last take, for a master."""
        counts, self._counts = dict(self._counts), Counter()
        return counts

    def merge(self, counts: Mapping[str, int]) -> None:
        """Add what a worker's `take` returned."""
        for name, count in counts.items():
            self.add(name, count)

    def remarks(self) -> list[str]:
        """Say which they were, in a sentence, if there were any."""
        if not self._counts:
            return []
        said = ", ".join(f"{count} of {name}" for name, count in self._counts.most_common(MAX_NAMES_SAID))
        more = len(self._counts) - MAX_NAMES_SAID
        and_more = f" and of {more} more names" if more > 0 else ""
        return [
            f"the time of streamed answers that no `with` block read to the end is that to their head: {said}{and_more}"
        ]
