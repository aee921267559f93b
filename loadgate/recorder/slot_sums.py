"""Whole numbers that are summed by second, where old seconds are merged into wider slots as those of cells."""

from __future__ import annotations

import sys
import zlib
from array import array
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

from loadgate.recorder.cells import ROLL_UPS, WIDTHS_S
from loadgate.recorder.packed import decompressed


class SlotSums:
    """The sum of each slot, in whole numbers."""

    __slots__ = ("_by_width", "_newest_s", "_rolled_to_s")

    def __init__(self) -> None:
        self._by_width: dict[int, dict[int, int]] = {width_s: {} for width_s in WIDTHS_S}
        self._rolled_to_s = dict.fromkeys(WIDTHS_S, 0)
        self._newest_s = 0

    def slots(self) -> Iterator[tuple[int, int, int]]:
        """Yield the start, the width and the sum of each slot."""
        for width_s, slots in self._by_width.items():
            for start_s, number in slots.items():
                yield start_s, width_s, number

    def pack(self) -> dict[str, Any]:
        """Return the JSON form: `count` slots, and the base64 form of their zlib-compressed, little-endian columns.

        The columns are `start_s` (uint32), `width_s` (uint16) and the sums (int64).
        """
        rows = sorted(self.slots())
        columns = array("I", [row[0] for row in rows]), array("H", [row[1] for row in rows]), array("q")
        columns[2].extend(row[2] for row in rows)
        raw = b"".join(_little_endian(column).tobytes() for column in columns)
        return {"count": len(rows), "columns": b64encode(zlib.compress(raw, 1)).decode("ascii")}

    def merge(self, data: Mapping[str, Any]) -> None:
        """Add the slots of `pack`."""
        for start_s, width_s, number in unpack_sums(data):
            self.add(start_s, width_s, number)

    def add(self, start_s: int, width_s: int, number: int) -> None:
        """Add a number to the slot, or to the wider one into which it was merged."""
        if start_s > self._newest_s:
            self._newest_s = start_s
            self._roll_up()
        for step in ROLL_UPS:
            if width_s < step.width_s and start_s < self._rolled_to_s[width_s]:
                start_s, width_s = start_s // step.width_s * step.width_s, step.width_s
        slots = self._by_width[width_s]
        slots[start_s] = slots.get(start_s, 0) + number

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


def unpack_sums(data: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """Return the slots that `SlotSums.pack` wrote. Raises ValueError if they are incomplete."""
    count = data["count"]
    raw = decompressed(data["columns"], "the recorded sums of slots")
    columns = array("I"), array("H"), array("q")
    if len(raw) != count * sum(column.itemsize for column in columns):
        raise ValueError(f"the recorded sums of slots cannot be read: {len(raw)} bytes for {count} slots")
    at = 0
    for column in columns:
        column.frombytes(raw[at : at + count * column.itemsize])
        at += count * column.itemsize
    start_s, width_s, sums = map(_little_endian, columns)
    return list(zip(start_s, width_s, sums, strict=True))


def _little_endian(column: array[int]) -> array[int]:
    if sys.byteorder == "big":
        column.byteswap()
    return column
