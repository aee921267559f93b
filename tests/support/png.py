"""Makes screenshots small: a PNG of 8-bit RGB or RGBA becomes one of at most 256 colours, a third of the size."""

from __future__ import annotations

import struct
import zlib
from collections import Counter

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_COLOURS = 256

Colour = tuple[int, ...]


def with_palette(png: bytes) -> bytes:
    """The same picture with the colours that it uses most; every other colour becomes the nearest of them."""
    width, height, rows = _rows(png)
    pixels = [[tuple(row[at : at + 3]) for at in range(0, len(row), len(row) // width)] for row in rows]
    counts = Counter(pixel for row in pixels for pixel in row)
    palette = [colour for colour, _ in counts.most_common(MAX_COLOURS)]
    index = {colour: _nearest(colour, palette) for colour in counts}
    raw = b"".join(b"\0" + bytes(index[pixel] for pixel in row) for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = b"".join(bytes(colour) for colour in palette)
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _nearest(colour: Colour, palette: list[Colour]) -> int:
    return min(
        range(len(palette)),
        key=lambda at: sum((one - two) ** 2 for one, two in zip(colour, palette[at], strict=True)),
    )


def _rows(png: bytes) -> tuple[int, int, list[bytearray]]:
    """Width, height and the bytes of each row."""
    if not png.startswith(_SIGNATURE):
        raise ValueError("not a PNG")
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    if depth != 8 or kind not in {2, 6} or png[28]:
        raise ValueError(f"only plain 8-bit RGB and RGBA can be read, not depth {depth}, kind {kind}")
    size = 3 if kind == 2 else 4
    data, at = b"", len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    raw, rows = zlib.decompress(data), []
    before = bytearray(width * size)
    for start in range(0, len(raw), 1 + width * size):
        before = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + width * size]), before, size)
        rows.append(before)
    return width, height, rows


def _unfiltered(kind: int, row: bytearray, above: bytearray, size: int) -> bytearray:
    for at in range(len(row) if kind else 0):
        left = row[at - size] if at >= size else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[at]
        elif kind == 3:
            guess = (left + above[at]) // 2
        else:
            guess = _paeth(left, above[at], above[at - size] if at >= size else 0)
        row[at] = (row[at] + guess) & 255
    return row


def _paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    distances = abs(estimate - left), abs(estimate - above), abs(estimate - corner)
    return (left, above, corner)[distances.index(min(distances))]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
