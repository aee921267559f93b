"""The latency sketch: counts in logarithmic buckets, with a quantile error of at most 0.5 % and a lossless merge.

The buckets are those of an HdrHistogram with two significant digits over whole microseconds. Up to 256 us each
microsecond has its own bucket; above, each doubling is divided into 128 equal parts. The middle of a bucket is
therefore at most 0.5 us (0.5 % at 100 us, less above) or 1/256 = 0.39 % away from any value in the bucket. There is no
upper limit. See http://hdrhistogram.org for the layout.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, compress
from typing import NamedTuple

RELATIVE_ERROR = 0.005
"""The maximum of |reported - true| / true for quantiles of values of at least 100 us."""

_SUB_BUCKET_BITS = 8
_HALF_COUNT = 1 << (_SUB_BUCKET_BITS - 1)
_UNIT_BUCKETS = 1 << _SUB_BUCKET_BITS
NS_PER_MS = 1_000_000
_INDICES = tuple(range(1 << 16))
"""All bucket indices that fit in two bytes. Sketches share these objects, which saves memory."""


class Bucket(NamedTuple):
    """A bucket with `samples` values in [low_ms, high_ms)."""

    low_ms: float
    high_ms: float
    samples: int


def bucket_index(value_us: int) -> int:
    """Return the bucket of a whole number of microseconds. The number must be at least 0."""
    if value_us < _UNIT_BUCKETS:
        return value_us
    shift = value_us.bit_length() - _SUB_BUCKET_BITS
    return (shift << (_SUB_BUCKET_BITS - 1)) + (value_us >> shift)


def bucket_bounds_us(index: int) -> tuple[int, int]:
    """Return the half-open range of microseconds of bucket `index`."""
    if index < _UNIT_BUCKETS:
        return index, index + 1
    shift = (index >> (_SUB_BUCKET_BITS - 1)) - 1
    low = ((index & (_HALF_COUNT - 1)) + _HALF_COUNT) << shift
    return low, low + (1 << shift)


def bucket_ms(index: int) -> float:
    """Return the latency that represents a bucket: its middle, in ms."""
    low_us, high_us = bucket_bounds_us(index)
    return (low_us + high_us) / 2000


def nearest_rank(quantile: float, count: int) -> int:
    """Return the 1-based rank of a quantile: the smallest rank that is at least `quantile * count`."""
    # Round first: 0.07 * 100 is 7.000000000000001 in binary, but its rank is 7.
    return min(count, max(1, math.ceil(round(quantile * count, 6))))


def sum_buckets(parts: Iterable[Iterable[tuple[int, int]]], min_ms: float, max_ms: float) -> dict[int, int]:
    """Return the samples per bucket, in ascending order, summed over `parts` of (bucket, samples).

    All buckets lie between the buckets of the two latencies.

    Fast path: a list of all buckets reduces the time to write the report of a run of a day by a third, compared with a
    dictionary (benchmarks/report_cost.py).
    """
    first, end = bucket_of(min_ms), 1 + bucket_of(max_ms)
    dense = [0] * end
    for part in parts:
        for bucket, samples in part:
            dense[bucket] += samples
    used = dense[first:]
    return dict(zip(compress(_INDICES[first:end], used), filter(None, used), strict=True))


def bucket_of(value_ms: float) -> int:
    """Return the bucket of a latency in ms."""
    return bucket_index(int(value_ms * NS_PER_MS + 0.5) // 1000)


class LatencySketch:
    """A distribution of latencies in ms: exact count, sum, minimum and maximum, and quantiles within RELATIVE_ERROR.

    - `untimed`: the number of requests without a latency. No other value includes them.
    - `buckets`: the count of each used bucket index, for reading only.
    - `sum_ns`: in whole nanoseconds, so that merges in any order give equal sketches.
    """

    __slots__ = ("buckets", "count", "max_ms", "min_ms", "sum_ns", "untimed")

    def __init__(self) -> None:
        self.count = 0
        self.min_ms: float | None = None
        self.max_ms: float | None = None
        self.sum_ns = 0
        self.untimed = 0
        self.buckets: dict[int, int] = {}

    @classmethod
    def from_stored(
        cls, buckets: Mapping[int, int], min_ms: float | None, max_ms: float | None, mean_ms: float | None
    ) -> "LatencySketch":
        """Return the sketch of stored values. Its sum is computed from the mean, within rounding."""
        sketch = cls()
        sketch.buckets = dict(buckets)
        sketch.count = sum(sketch.buckets.values())
        sketch.min_ms, sketch.max_ms = min_ms, max_ms
        sketch.sum_ns = round((mean_ms or 0.0) * sketch.count * NS_PER_MS)
        return sketch

    @classmethod
    def sum_of(cls, sketches: "Sequence[LatencySketch]") -> "LatencySketch":
        """Return the sum of many sketches. It equals the result of consecutive merges."""
        total = cls()
        timed = [sketch for sketch in sketches if sketch.count]
        total.count = sum(sketch.count for sketch in timed)
        total.sum_ns = sum(sketch.sum_ns for sketch in timed)
        total.untimed = sum(sketch.untimed for sketch in sketches)
        if timed:
            total.min_ms = min(sketch.min_ms for sketch in timed if sketch.min_ms is not None)
            total.max_ms = max(sketch.max_ms for sketch in timed if sketch.max_ms is not None)
            total.buckets = sum_buckets([sketch.buckets.items() for sketch in timed], total.min_ms, total.max_ms)
        return total

    def record(self, value_ms: float, times: int = 1) -> None:
        """Add one sample, or the same sample several times.

        Raises ValueError for a negative or infinite value, which is not a latency.
        """
        if not 0.0 <= value_ms < math.inf:
            raise ValueError(f"a latency is a finite number of milliseconds, 0 or more; got {value_ms!r}")
        value_ns = int(value_ms * NS_PER_MS + 0.5)
        index = bucket_index(value_ns // 1000)
        self.buckets[index] = self.buckets.get(index, 0) + times
        self.sum_ns += value_ns * times
        self.count += times
        if self.max_ms is None or self.min_ms is None:
            self.min_ms = self.max_ms = value_ms
        elif value_ms > self.max_ms:
            self.max_ms = value_ms
        elif value_ms < self.min_ms:
            self.min_ms = value_ms

    def merge(self, other: "LatencySketch") -> None:
        """Add all samples of `other`, without loss."""
        if not self.buckets:
            self.buckets = dict(other.buckets)
        else:
            buckets = self.buckets
            known = buckets.get
            for index, count in other.buckets.items():
                buckets[index] = known(index, 0) + count
        self.sum_ns += other.sum_ns
        self.count += other.count
        self.untimed += other.untimed
        if other.min_ms is not None and (self.min_ms is None or other.min_ms < self.min_ms):
            self.min_ms = other.min_ms
        if other.max_ms is not None and (self.max_ms is None or other.max_ms > self.max_ms):
            self.max_ms = other.max_ms

    def copy(self) -> "LatencySketch":
        """Return an independent copy."""
        clone = LatencySketch()
        clone.merge(self)
        return clone

    @property
    def requests(self) -> int:
        """Return the number of requests with and without a latency."""
        return self.count + self.untimed

    @property
    def sum_ms(self) -> float:
        """Return the sum of all samples, each rounded to a nanosecond."""
        return self.sum_ns / NS_PER_MS

    @property
    def mean_ms(self) -> float | None:
        """Return the mean. None without samples."""
        return self.sum_ms / self.count if self.count else None

    def quantile(self, q: float) -> float | None:
        """Return the quantile `q` (0 to 1) in ms by nearest rank. None without samples.

        The minimum and the maximum are exact. Any other quantile is the middle of its bucket, limited to this range.
        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile is between 0 and 1; got {q!r}")
        if not self.count:
            return None
        bucket = self.bucket_at_rank(nearest_rank(q, self.count))
        return (bucket.low_ms + bucket.high_ms) / 2

    def bucket_at_rank(self, rank: int) -> Bucket:
        """Return the bucket of the `rank`-th smallest sample. The bounds of the first and the last sample are exact."""
        if self.min_ms is None or self.max_ms is None or not 1 <= rank <= self.count:
            raise ValueError(f"rank {rank} is not among {self.count} samples")
        if rank == 1:
            return Bucket(self.min_ms, self.min_ms, 1)
        if rank == self.count:
            return Bucket(self.max_ms, self.max_ms, 1)
        seen = 0
        for bucket in self.iter_buckets():
            seen += bucket.samples
            if seen >= rank:
                return bucket
        raise AssertionError("the buckets hold fewer samples than the sketch counts")

    def iter_buckets(self) -> Iterator[Bucket]:
        """Yield the used buckets in ascending order, with bounds limited to the minimum and the maximum."""
        low_end, high_end = self.min_ms or 0.0, self.max_ms or 0.0
        for index in sorted(self.buckets):
            low_us, high_us = bucket_bounds_us(index)
            low_ms, high_ms = max(low_us / 1000, low_end), min(high_us / 1000, high_end)
            # Rounding to a nanosecond can move the minimum or the maximum just outside the bounds of its bucket.
            yield Bucket(min(low_ms, high_end), max(high_ms, low_end), self.buckets[index])

    def bucket_indices(self, ranks: Iterable[int]) -> list[int]:
        """Return, for each rank (1 to count), the index of the bucket with the sample of that rank."""
        indices = sorted(self.buckets)
        seen = list(accumulate(map(self.buckets.__getitem__, indices)))
        return [indices[bisect_left(seen, rank)] for rank in ranks]

    def count_from(self, limit_ms: float) -> int:
        """Return the number of samples of at least `limit_ms`, without those in the bucket that contains the limit."""
        return sum(bucket.samples for bucket in self.iter_buckets() if bucket.low_ms >= limit_ms)

    def count_above(self, limit_ms: float) -> int:
        """Return the number of samples above `limit_ms`, without those in the bucket that contains the limit."""
        return sum(bucket.samples for bucket in self.iter_buckets() if bucket.low_ms > limit_ms)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatencySketch):
            return NotImplemented
        return (self.buckets, self.sum_ns, self.min_ms, self.max_ms, self.untimed) == (
            other.buckets,
            other.sum_ns,
            other.min_ms,
            other.max_ms,
            other.untimed,
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"LatencySketch(count={self.count}, min_ms={self.min_ms}, max_ms={self.max_ms})"
