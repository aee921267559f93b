"""Sums of the counts of a scope over any choice of segments, fast enough for thousands of choices.

A segment is one whole number: its counts are lanes of 64 bits. The sum of two segments is therefore one addition. The
lanes of a sketch hold the number of requests up to each bucket, so a quantile is one binary search in a sum.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress
from struct import Struct
from typing import NamedTuple

from loadgate.analysis.ab.segments import Pair, ScopeCounts
from loadgate.recorder.sketch import NS_PER_MS, bucket_bounds_us

_FAILURES, _REQUESTS, _SUM_NS, _FIRST = range(4)
"""The lanes. `_FIRST` is always 0; after it follows, for each used bucket, the number of requests up to its end."""


class Sums(NamedTuple):
    """The counts of a scope in a sum of segments. `bounds_ms`: of each bucket that any of the segments uses."""

    lanes: tuple[int, ...]
    bounds_ms: Sequence[tuple[float, float]]

    @property
    def requests(self) -> int:
        """Return the number of requests."""
        return self.lanes[_REQUESTS]

    @property
    def failures(self) -> int:
        """Return the number of failed requests."""
        return self.lanes[_FAILURES]

    @property
    def timed(self) -> int:
        """Return the number of successful requests with a latency."""
        return self.lanes[-1]

    def failure_share(self) -> float | None:
        """Return the failed requests as a share of all. None without requests."""
        return self.failures / self.requests if self.requests else None

    def mean_ms(self) -> float | None:
        """Return the mean latency of the successful requests. None without requests."""
        return self.lanes[_SUM_NS] / NS_PER_MS / self.timed if self.timed else None

    def quantile_ms(self, quantile: float) -> float | None:
        """Return a quantile (above 0, below 1) of the successful requests. None without requests.

        The rank is interpolated between the numbers of requests at the lower and at the upper end of its bucket. The
        middle of the bucket would turn a change of less than 0.8 % into none or into 0.8 %.
        """
        lanes = self.lanes
        if not lanes[-1]:
            return None
        # Round first: 0.07 * 100 is 7.000000000000001 in binary, which could be in the next bucket.
        rank = round(quantile * lanes[-1], 6)
        place = bisect_left(lanes, rank, _FIRST + 1)
        low_ms, high_ms = self.bounds_ms[place - _FIRST - 1]
        below = lanes[place - 1]
        return low_ms + (high_ms - low_ms) * (rank - below) / (lanes[place] - below)


class Sides(NamedTuple):
    """The sums of the two sides."""

    base: Sums
    head: Sums


class PackedScope:
    """The counts of one scope in all pairs. A segment without requests in the scope counts as zeros."""

    def __init__(self, pairs: Sequence[Pair], scope: str) -> None:
        base = [pair.base.scopes.get(scope) for pair in pairs]
        head = [pair.head.scopes.get(scope) for pair in pairs]
        self._buckets = sorted({bucket for one in base + head if one is not None for bucket in one.success.buckets})
        self._bounds_ms = [(low / 1000, high / 1000) for low, high in map(bucket_bounds_us, self._buckets)]
        self._struct = Struct(f"<{_FIRST + 1 + len(self._buckets)}Q")
        self._base = [self._packed(one) for one in base]
        self._head = [self._packed(one) for one in head]
        self._base_sum, self._head_sum = sum(self._base), sum(self._head)
        # Lanes of a difference can be negative, but they are not when it has been added to the sum of the side.
        self._exchanges = [base - head for base, head in zip(self._base, self._head, strict=True)]

    @property
    def pairs(self) -> int:
        """Return the number of pairs."""
        return len(self._base)

    def whole(self) -> Sides:
        """Return the sums of all pairs."""
        return self._sides(self._base_sum, self._head_sum)

    def only(self, pair: int) -> Sides:
        """Return the counts of one pair."""
        return self._sides(self._base[pair], self._head[pair])

    def without(self, pair: int) -> Sides:
        """Return the sums of all other pairs."""
        return self._sides(self._base_sum - self._base[pair], self._head_sum - self._head[pair])

    def exchanged(self, flip: Iterable[bool]) -> Sides:
        """Return the sums of all pairs, with the sides exchanged in each pair for which `flip` is true."""
        head = sum(compress(self._exchanges, flip), self._head_sum)
        return self._sides(self._base_sum + self._head_sum - head, head)

    def _packed(self, counts: ScopeCounts | None) -> int:
        if counts is None:
            return 0
        success = counts.success
        samples = (success.buckets.get(bucket, 0) for bucket in self._buckets)
        lanes = (counts.failures, counts.requests, success.sum_ns, *accumulate(samples, initial=0))
        return int.from_bytes(self._struct.pack(*lanes), "little")

    def _sides(self, base: int, head: int) -> Sides:
        return Sides(self._sums(base), self._sums(head))

    def _sums(self, packed: int) -> Sums:
        return Sums(self._struct.unpack(packed.to_bytes(self._struct.size, "little")), self._bounds_ms)
