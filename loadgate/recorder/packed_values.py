"""Convert a column of values to text: little-endian float64, NaN if unknown, compressed with zlib, in base64."""

from __future__ import annotations

import math
import sys
import zlib
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence


def pack_values(values: Sequence[float], rows: int) -> str:
    """Return the values as text. Missing ones at the end are unknown."""
    column = array("d", [*values, *[math.nan] * (rows - len(values))])
    if sys.byteorder == "big":
        column.byteswap()
    return b64encode(zlib.compress(column.tobytes())).decode("ascii")


def unpack_values(text: str, rows: int) -> array[float]:
    """Return the values of a text. Raises ValueError if it does not contain one value for each row."""
    try:
        # A small text can contain gigabytes.
        raw = zlib.decompressobj().decompress(b64decode(text, validate=True), 8 * rows + 1)
    except zlib.error as error:
        raise ValueError(f"a column of resources cannot be unpacked: {error}") from error
    if len(raw) != 8 * rows:
        raise ValueError(f"a column of resources has {len(raw)} bytes, not {8 * rows}")
    column = array("d")
    column.frombytes(raw)
    if sys.byteorder == "big":
        column.byteswap()
    return column
