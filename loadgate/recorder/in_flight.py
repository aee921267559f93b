"""The time that requests spend in flight in each second, apart from the seconds in which they end.

A cell holds the latencies of the requests that ended in its second. Their sum is the time in flight in that second if
each request began in it. A request over several seconds also gives each second its part here, and takes these parts
from the second in which it ended. So a request within one second costs nothing.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from loadgate.recorder.cells import ROLL_UPS, WIDTHS_S
from loadgate.recorder.packed import decompressed

NS_PER_S = 1_000_000_000


class InFlight(NamedTuple):
    """The mean number of requests in flight during [start_s, start_s + width_s), in epoch seconds.

    The mean times the width is the time that requests were in flight, in request-seconds.
    """

    start_s: int
    width_s: int
    mean: float


class SharedTime:
    """The parts of the time in flight that belong to other seconds than that of the end, for one request name.

    Old slots are merged into wider ones, as those of cells.
    """

    __slots__ = ("_by_width", "_newest_s", "_rolled_to_s")

    def __init__(self) -> None:
        self._by_width: dict[int, dict[int, int]] = {width_s: {} for width_s in WIDTHS_S}
        self._rolled_to_s = dict.fromkeys(WIDTHS_S, 0)
        self._newest_s = 0

    def move(self, start_s: float, end_second: int) -> None:
        """Move the time of a request before `end_second`, in which it ended, to the seconds in which it was."""
        first = int(start_s)
        if end_second > self._newest_s:
            self._newest_s = end_second
            self._roll_up()
        if first < self._rolled_to_s[1]:
            self._add(end_second, 1, -self.spread(start_s, end_second))
            return
        # Fast path: benchmarks/loadgate_record_cost.py --median-ms 2000: 13 -> 7 us for each request.
        seconds = self._by_width[1]
        part = int((first + 1 - start_s) * NS_PER_S)
        seconds[first] = seconds.get(first, 0) + part
        for second in range(first + 1, end_second):
            seconds[second] = seconds.get(second, 0) + NS_PER_S
        moved = part + (end_second - first - 1) * NS_PER_S
        seconds[end_second] = seconds.get(end_second, 0) - moved

    def spread(self, start_s: float, end_s: float) -> int:
        """Add the time from `start_s` to `end_s` to its seconds. Return it in nanoseconds."""
        total, second, end_second = 0, int(start_s), int(end_s)
        while second <= end_second:
            part = int((min(end_s, second + 1) - max(start_s, second)) * NS_PER_S)
            if part:
                self._add(second, 1, part)
            total += part
            second += 1
        return total

    def slots(self) -> Iterator[tuple[int, int, int]]:
        """Yield the start, the width and the nanoseconds of each slot. They are negative where requests ended."""
        for width_s, slots in self._by_width.items():
            for start_s, nanoseconds in slots.items():
                yield start_s, width_s, nanoseconds

    def pack(self) -> dict[str, Any]:
        """Return the JSON form: `count` slots, and the base64 form of their zlib-compressed, little-endian columns.

        The columns are `start_s` (uint32), `width_s` (uint16) and the nanoseconds (int64).
        """
        rows = sorted(self.slots())
        columns = array("I", [row[0] for row in rows]), array("H", [row[1] for row in rows]), array("q")
        columns[2].extend(row[2] for row in rows)
        raw = b"".join(_little_endian(column).tobytes() for column in columns)
        return {"count": len(rows), "columns": b64encode(zlib.compress(raw, 1)).decode("ascii")}

    def merge(self, data: Mapping[str, Any]) -> None:
        """Add the slots of `pack`."""
        for start_s, width_s, nanoseconds in unpack_shared(data):
            self._add(start_s, width_s, nanoseconds)

    def _add(self, start_s: int, width_s: int, nanoseconds: int) -> None:
        if start_s > self._newest_s:
            self._newest_s = start_s
            self._roll_up()
        for step in ROLL_UPS:
            if width_s < step.width_s and start_s < self._rolled_to_s[width_s]:
                start_s, width_s = start_s // step.width_s * step.width_s, step.width_s
        slots = self._by_width[width_s]
        slots[start_s] = slots.get(start_s, 0) + nanoseconds

    def _roll_up(self) -> None:
        narrow_s = 1
        for step in ROLL_UPS:
            limit_s = (self._newest_s - step.older_than_s) // step.width_s * step.width_s
            if limit_s > self._rolled_to_s[narrow_s]:
                self._rolled_to_s[narrow_s] = limit_s
                narrow, wide = self._by_width[narrow_s], self._by_width[step.width_s]
                for start_s in [start_s for start_s in narrow if start_s < limit_s]:
                    wide_s = start_s // step.width_s * step.width_s
                    wide[wide_s] = wide.get(wide_s, 0) + narrow.pop(start_s)
            narrow_s = step.width_s


def unpack_shared(data: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """Return the slots that `SharedTime.pack` wrote. Raises ValueError if they are incomplete."""
    count = data["count"]
    raw = decompressed(data["columns"], "the recorded times in flight")
    columns = array("I"), array("H"), array("q")
    if len(raw) != count * sum(column.itemsize for column in columns):
        raise ValueError(f"the recorded times in flight cannot be read: {len(raw)} bytes for {count} slots")
    at = 0
    for column in columns:
        column.frombytes(raw[at : at + count * column.itemsize])
        at += count * column.itemsize
    start_s, width_s, nanoseconds = map(_little_endian, columns)
    return list(zip(start_s, width_s, nanoseconds, strict=True))


def _little_endian(column: array[int]) -> array[int]:
    if sys.byteorder == "big":
        column.byteswap()
    return column
