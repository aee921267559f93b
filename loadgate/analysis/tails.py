"""Fast p95 of many windows that consist of the same slots.

A p95 needs only the slowest 5 % of the requests of a window. Each slot is reduced to its slowest requests once, and a
window merges a few short lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from loadgate.recorder import LatencySketch, TimeSlot
from loadgate.recorder.sketch import bucket_ms

QUANTILE = 0.95
MIN_SUCCESSES = 20
"""A p95 of fewer requests is their maximum."""

_COUNT_BITS = 40
_COUNT = (1 << _COUNT_BITS) - 1


@dataclass(frozen=True, slots=True)
class SlotTail:
    """The counts of one slot, and the slowest of its successful requests.

    `slowest` are pairs of a bucket and its number of requests, each in one integer, in descending order. Integers are
    sorted in half the time of tuples.
    """

    start_s: int
    width_s: int
    requests: int
    failures: int
    timed: int
    slowest: tuple[int, ...]

    def slower_than(self, bucket: int) -> int:
        """Return the number of requests in the buckets above `bucket`, at most as many as the tail has."""
        found, least = 0, (bucket + 1) << _COUNT_BITS
        for item in self.slowest:
            if item < least:
                break
            found += item & _COUNT
        return found


def no_requests(second: int) -> SlotTail:
    """Return the tail of a second in which no request ended."""
    return SlotTail(second, 1, 0, 0, 0, ())


def tails(slots: Sequence[TimeSlot], length_s: int) -> list[SlotTail]:
    """Return the tails of slots, deep enough for windows of `length_s`."""
    most = max((slot.totals.success.count / slot.width_s for slot in slots), default=0.0)
    widest = max((slot.width_s for slot in slots), default=1)
    depth = int(most * (length_s + widest) * (1 - QUANTILE)) + 2
    return [
        SlotTail(
            slot.start_s,
            slot.width_s,
            slot.totals.requests,
            slot.totals.failures,
            slot.totals.success.count,
            _slowest(slot.totals.success, depth),
        )
        for slot in slots
    ]


def _slowest(sketch: LatencySketch, depth: int) -> tuple[int, ...]:
    found: list[int] = []
    left = depth
    for index in sorted(sketch.buckets, reverse=True):
        if left <= 0:
            break
        samples = sketch.buckets[index]
        found.append(index << _COUNT_BITS | samples)
        left -= samples
    return tuple(found)


def p95_place(timed: int) -> int:
    """Return the place of the p95 among so many requests, counted from the slowest one, which is 1."""
    return timed // 20 + 1


def p95_bucket(window: Iterable[SlotTail], timed: int) -> int | None:
    """Return the bucket of the p95 of a window with `timed` successful requests. None if these are too few.

    The window must not be longer than the one for which the tails were made.
    """
    if timed < MIN_SUCCESSES:
        return None
    left, item = p95_place(timed), 0
    for item in sorted(chain.from_iterable(slot.slowest for slot in window), reverse=True):
        left -= item & _COUNT
        if left <= 0:
            break
    return item >> _COUNT_BITS


def p95_ms(window: Sequence[SlotTail]) -> float | None:
    """Return the p95 of a window in ms. See `p95_bucket`."""
    bucket = p95_bucket(window, sum(slot.timed for slot in window))
    return None if bucket is None else bucket_ms(bucket)
