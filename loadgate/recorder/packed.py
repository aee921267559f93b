"""Pack the cells of a series into columns, which have a tenth of the size of JSON numbers.

The form is `{"count": n, "columns": text}`. The text is the base64 form of the zlib-compressed, little-endian columns
in this order:

- `start_s` (uint32), `width_s` (uint16) and `response_bytes` (uint64) of n cells;
- the columns of the latency sketches;
- if `service` is true, the columns of the sketches of service times;
- if `untimed` is true, the number of requests without a latency in each cell (uint32).

The columns of n sketches are `sum_ns` (uint64), `min_ms` and `max_ms` (float64, NaN for a sketch without samples) and
`used` (uint16, the number of buckets), then `buckets` (uint16) and `samples` (uint32) for all buckets of all cells.
"""

from __future__ import annotations

import math
import sys
import zlib
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, filterfalse
from typing import Any, NamedTuple

from loadgate.recorder.cells import Cell, Slot
from loadgate.recorder.sketch import LatencySketch, sum_buckets

# Level 1 gives most of the reduction and takes a fifth of the time of the default level.
_ZLIB_LEVEL = 1

MAX_UNPACKED = 2**28
"""Bytes of the columns of a series. They bound the memory for a damaged file; a series of a run has a few MB."""


class SketchColumns(NamedTuple):
    """The sketches of n cells. Cell i has the buckets from `ends[i - 1]` (0 for the first cell) up to `ends[i]`."""

    sum_ns: array[int]
    min_ms: array[float]
    max_ms: array[float]
    ends: list[int]
    buckets: array[int]
    samples: array[int]

    def sketch(self, first: int, end: int) -> LatencySketch:
        """Return the sketch of all samples of the cells from `first` up to, but not including, `end`."""
        sketch = LatencySketch()
        low, high = self.ends[first - 1] if first else 0, self.ends[end - 1]
        if low == high:
            return sketch
        samples = self.samples[low:high]
        pairs = zip(self.buckets[low:high], samples, strict=True)
        sketch.count = sum(samples)
        sketch.sum_ns = sum(self.sum_ns[first:end])
        sketch.min_ms = min(filterfalse(math.isnan, self.min_ms[first:end]))
        sketch.max_ms = max(filterfalse(math.isnan, self.max_ms[first:end]))
        sketch.buckets = dict(pairs) if end - first == 1 else sum_buckets([pairs], sketch.min_ms, sketch.max_ms)
        return sketch


class CellColumns(NamedTuple):
    """The columns of n cells. Each cell covers [start_s, start_s + width_s) in whole epoch seconds."""

    start_s: array[int]
    width_s: array[int]
    response_bytes: array[int]
    latency: SketchColumns
    service: SketchColumns | None
    untimed: array[int]

    def latencies(self, first: int, end: int) -> LatencySketch:
        """Return the latencies of the cells from `first` up to `end`, and the count of requests without one."""
        sketch = self.latency.sketch(first, end)
        sketch.untimed = sum(self.untimed[first:end])
        return sketch


def pack(slots: Sequence[Slot]) -> dict[str, Any]:
    """Return the JSON form of the cells of one series."""
    cells = [slot.cell for slot in slots]
    has_service = any(cell.service is not None for cell in cells)
    columns = [
        array("I", [slot.start_s for slot in slots]),
        array("H", [slot.width_s for slot in slots]),
        array("Q", [cell.response_bytes for cell in cells]),
        *_sketch_columns([cell.latency for cell in cells]),
    ]
    if has_service:
        empty = LatencySketch()
        columns += _sketch_columns([cell.service or empty for cell in cells])
    untimed = array("I", [cell.latency.untimed for cell in cells])
    if has_untimed := any(untimed):
        columns.append(untimed)
    raw = b"".join(_little_endian(column).tobytes() for column in columns)
    text = b64encode(zlib.compress(raw, _ZLIB_LEVEL)).decode("ascii")
    packed = {"count": len(slots), "service": has_service, "columns": text}
    return packed | {"untimed": True} if has_untimed else packed


def unpack(data: Mapping[str, Any]) -> CellColumns:
    """Return the columns that `pack` wrote. Raises ValueError if they are incomplete."""
    count, reader = data["count"], _Reader(data["columns"])
    start_s, width_s, response_bytes = reader.take("I", count), reader.take("H", count), reader.take("Q", count)
    latency = reader.take_sketches(count)
    service = reader.take_sketches(count) if data["service"] else None
    untimed = reader.take("I", count) if data.get("untimed") else array("I", [0] * count)
    return CellColumns(start_s, width_s, response_bytes, latency, service, untimed)


def unpack_times(data: Mapping[str, Any]) -> tuple[array[int], array[int]]:
    """Return the columns `start_s` and `width_s` alone, for a fraction of the cost of all columns."""
    count = data["count"]
    reader = _Reader(data["columns"], count * (array("I").itemsize + array("H").itemsize))
    return reader.take("I", count), reader.take("H", count)


def iter_slots(columns: CellColumns) -> Iterator[Slot]:
    """Yield the cells in the form that the recorder holds."""
    for number, (start_s, width_s) in enumerate(zip(columns.start_s, columns.width_s, strict=True)):
        cell = Cell()
        cell.latency = columns.latencies(number, number + 1)
        cell.response_bytes = columns.response_bytes[number]
        if columns.service is not None:
            service = columns.service.sketch(number, number + 1)
            cell.service = service if service.count else None
        yield Slot(start_s, width_s, cell)


def _sketch_columns(sketches: Sequence[LatencySketch]) -> list[array[Any]]:
    buckets = [sorted(sketch.buckets.items()) for sketch in sketches]
    return [
        array("Q", [sketch.sum_ns for sketch in sketches]),
        array("d", [math.nan if sketch.min_ms is None else sketch.min_ms for sketch in sketches]),
        array("d", [math.nan if sketch.max_ms is None else sketch.max_ms for sketch in sketches]),
        array("H", [len(items) for items in buckets]),
        array("H", [index for items in buckets for index, _ in items]),
        array("I", [samples for items in buckets for _, samples in items]),
    ]


def decompressed(text: str, what: str, first_bytes: int | None = None) -> bytes:
    """Return the first bytes of compressed columns, by default all. `what` they are is for the message.

    Raises ValueError if they are damaged or have more than MAX_UNPACKED bytes.
    """
    decompressor = zlib.decompressobj()
    try:
        raw = decompressor.decompress(b64decode(text), min(first_bytes or MAX_UNPACKED, MAX_UNPACKED))
    except zlib.error as error:
        raise ValueError(f"{what} cannot be read: {error}") from error
    if len(raw) == MAX_UNPACKED:
        raise ValueError(f"{what} cannot be read: they have more than {MAX_UNPACKED - 1} bytes")
    return raw


class _Reader:
    """Reads one column after the other. `first_bytes` limits what is decompressed; without it, MAX_UNPACKED does."""

    def __init__(self, text: str, first_bytes: int | None = None) -> None:
        self._raw = memoryview(decompressed(text, "recorded cells", first_bytes))
        self._at = 0

    def take(self, kind: str, count: int) -> array[Any]:
        column = array(kind)
        end = self._at + count * column.itemsize
        if end > len(self._raw):
            raise ValueError(f"recorded cells cannot be read: {len(self._raw)} bytes instead of at least {end}")
        column.frombytes(self._raw[self._at : end])
        self._at = end
        return _little_endian(column)

    def take_sketches(self, count: int) -> SketchColumns:
        sum_ns, min_ms, max_ms = self.take("Q", count), self.take("d", count), self.take("d", count)
        ends = list(accumulate(self.take("H", count)))
        total = ends[-1] if ends else 0
        return SketchColumns(sum_ns, min_ms, max_ms, ends, self.take("H", total), self.take("I", total))


def _little_endian(column: array[Any]) -> array[Any]:
    """Convert a column from this machine's byte order to that of the file, or back."""
    if sys.byteorder == "big":
        column.byteswap()
    return column
