"""Sums over batches of consecutive seconds, from which the dependence between requests is estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WIDTHS_S = (1, 2, 4, 8)
"""Widths of the batches. Each is a multiple of the one before, so that batches are sums of narrower ones."""


@dataclass(slots=True)
class BatchLevel:
    """The sums over all batches of one width.

    A batch with n samples has y(b) samples in bucket b or below. `squares[b]` is the sum of y(b)^2 minus that of the
    next lower bucket. `products[b]` is the same for y(b) n. A running sum over the buckets therefore gives the sums of
    any bucket. `size_squares` is the sum of n^2, and `count` is the number of batches.
    """

    width_s: int
    count: int = 0
    size_squares: int = 0
    squares: dict[int, int] = field(default_factory=dict)
    products: dict[int, int] = field(default_factory=dict)
    _open: dict[int, int] = field(default_factory=dict)
    _open_number: int = -1

    def add(self, start_s: int, counts: Mapping[int, int]) -> tuple[int, Mapping[int, int]] | None:
        """Add samples to their batch. Return the start and the samples of the batch that this closes, if any."""
        number = start_s // self.width_s
        if number == self._open_number:
            merge_counts(self._open, counts)
            return None
        closed = self.close()
        self._open, self._open_number = dict(counts), number
        return closed

    def close(self) -> tuple[int, Mapping[int, int]] | None:
        """Close the open batch. Return its start and its samples, or None if there is none."""
        if not self._open:
            return None
        counts, self._open = self._open, {}
        self.include(counts)
        return self._open_number * self.width_s, counts

    def include(self, counts: Mapping[int, int]) -> None:
        """Add a whole batch."""
        size, below = sum(counts.values()), 0
        squares, products = self.squares, self.products
        for bucket in sorted(counts):
            samples = counts[bucket]
            squares[bucket] = squares.get(bucket, 0) + samples * (2 * below + samples)
            products[bucket] = products.get(bucket, 0) + samples * size
            below += samples
        self.count += 1
        self.size_squares += size * size

    def include_all(self, other: BatchLevel) -> None:
        """Add all closed batches of another level."""
        self.count += other.count
        self.size_squares += other.size_squares
        merge_counts(self.squares, other.squares)
        merge_counts(self.products, other.products)

    def copy(self) -> BatchLevel:
        """Return an independent copy."""
        return BatchLevel(
            self.width_s,
            self.count,
            self.size_squares,
            dict(self.squares),
            dict(self.products),
            dict(self._open),
            self._open_number,
        )


class BatchSums:
    """The samples of consecutive seconds by bucket, and the sums over their batches of each width of WIDTHS_S.

    One `add` costs as much as the second has buckets, at any time of a long run. The memory is bounded by the number of
    buckets. A bucket is any ordered category, such as a bucket of a latency sketch.
    """

    def __init__(self) -> None:
        self.samples: dict[int, int] = {}
        self._levels = [BatchLevel(width_s) for width_s in WIDTHS_S]
        self._wide = BatchLevel(WIDTHS_S[-1])

    def add(self, start_s: int, counts: Mapping[int, int], width_s: int = 1) -> None:
        """Add the samples of a slot, a second if it has no width. Starts must not decrease.

        A slot that is wider than a batch is one batch.
        """
        counts = {bucket: samples for bucket, samples in counts.items() if samples}
        if not counts:
            return
        merge_counts(self.samples, counts)
        if width_s >= WIDTHS_S[-1]:
            # Fast path: one batch of every width. It halves the time to judge a run of a day.
            self._wide.include(counts)
        else:
            _add(self._levels, start_s, counts)

    def levels(self) -> list[BatchLevel]:
        """Return the sums of each width. They include the batches that are not complete yet."""
        levels = [level.copy() for level in self._levels]
        for number, level in enumerate(levels):
            closed = level.close()
            if closed is not None:
                _add(levels[number + 1 :], *closed)
            level.include_all(self._wide)
        return levels


def merge_counts(into: dict[int, int], counts: Mapping[int, int]) -> None:
    """Add the samples of each bucket."""
    for bucket, samples in counts.items():
        into[bucket] = into.get(bucket, 0) + samples


def _add(levels: list[BatchLevel], start_s: int, counts: Mapping[int, int]) -> None:
    for level in levels:
        closed = level.add(start_s, counts)
        if closed is None:
            return
        start_s, counts = closed
