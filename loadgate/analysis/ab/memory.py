"""The growth of memory of a resource in any choice of segments, with the interface of `PackedScope`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from loadgate.analysis.ab.segments import Pair


class Growth(NamedTuple):
    """The growth in each of some segments, in bytes per request; None where it was not measured."""

    values: tuple[float | None, ...]

    def mean(self) -> float | None:
        """Return the mean of all segments. None if one was not measured."""
        known = [value for value in self.values if value is not None]
        return fmean(known) if known and len(known) == len(self.values) else None


class MemorySides(NamedTuple):
    """The growth on the two sides."""

    base: Growth
    head: Growth

    @property
    def are_known(self) -> bool:
        """Return whether each segment of both sides was measured."""
        return self.base.mean() is not None and self.head.mean() is not None


class MemoryScope:
    """The growth of one resource in all pairs."""

    def __init__(self, pairs: Sequence[Pair], resource: str) -> None:
        self._pairs = [(pair.base.memory.get(resource), pair.head.memory.get(resource)) for pair in pairs]

    @property
    def pairs(self) -> int:
        """Return the number of pairs."""
        return len(self._pairs)

    def whole(self) -> MemorySides:
        """Return the growth in all pairs."""
        return _sides(self._pairs)

    def only(self, pair: int) -> MemorySides:
        """Return the growth in one pair."""
        return _sides([self._pairs[pair]])

    def without(self, pair: int) -> MemorySides:
        """Return the growth in all other pairs."""
        return _sides([*self._pairs[:pair], *self._pairs[pair + 1 :]])

    def exchanged(self, flip: Iterable[bool]) -> MemorySides:
        """Return the growth in all pairs, with the sides exchanged in each pair for which `flip` is true."""
        flipped = zip(self._pairs, flip, strict=True)
        return _sides([(head, base) if exchange else (base, head) for (base, head), exchange in flipped])


def _sides(pairs: Sequence[tuple[float | None, float | None]]) -> MemorySides:
    return MemorySides(Growth(tuple(base for base, _ in pairs)), Growth(tuple(head for _, head in pairs)))
