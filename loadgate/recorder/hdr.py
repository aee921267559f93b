"""Export a record as an HdrHistogram interval log (format 1.3, histograms in encoding V2), which many tools can plot.

The sketch has the bucket layout of an HdrHistogram with two significant digits, so the export is lossless. Values are
whole microseconds; the column `Interval_Max` is in milliseconds. The log has one line per second, request name and
outcome, with the tag `<name>/<outcome>`. Format: https://github.com/HdrHistogram/HdrHistogram
(HistogramLogWriter.java, AbstractHistogram.java).
"""

import base64
import re
import struct
import zlib
from collections.abc import Iterator

from loadgate.recorder.recorder import Recorder
from loadgate.recorder.scopes import RequestName, Totals
from loadgate.recorder.sketch import LatencySketch, bucket_bounds_us

_ENCODING_COOKIE = 0x1C849303 | 0x10
_COMPRESSED_COOKIE = 0x1C849304 | 0x10
_SIGNIFICANT_DIGITS = 2
_LOWEST_US = 1
_HIGHEST_US = 600_000_000
_HEADER = struct.Struct(">iiiiqqd")
_COMPRESSED_HEADER = struct.Struct(">ii")


def histogram_log(recorder: Recorder) -> Iterator[str]:
    """Yield the lines of the log, without line ends, ordered by time."""
    span_s = recorder.span_s()
    start_s = span_s[0] if span_s else 0
    yield "#[Values are microseconds; Interval_Max is milliseconds]"
    yield "#[Histogram log format version 1.3]"
    yield f"#[StartTime: {start_s:.3f} (seconds since epoch)]"
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
    rows = [
        (slot.start_s, name, slot.width_s, slot.totals)
        for name in recorder.names()
        for slot in recorder.time_slots(RequestName(name))
    ]
    for begin_s, name, width_s, totals in sorted(rows, key=lambda row: row[:2]):
        yield from _lines(name, begin_s - start_s, width_s, totals)


def _lines(name: str, offset_s: int, width_s: int, totals: Totals) -> Iterator[str]:
    # Commas, spaces and line ends are separators in the format, which has no escape for them.
    tag = re.sub(r"[,\s]+", "_", name)
    for outcome, sketch in (("success", totals.success), ("failure", totals.failure)):
        if sketch.max_ms is not None:
            yield f"Tag={tag}/{outcome},{offset_s:.3f},{width_s:.3f},{sketch.max_ms:.3f},{encode(sketch)}"


def encode(sketch: LatencySketch) -> str:
    """Return the sketch as a compressed V2 histogram in base64."""
    payload = b"".join(_zig_zag(number) for number in _counts_and_gaps(sketch))
    highest_us = max(_HIGHEST_US, bucket_bounds_us(max(sketch.buckets, default=0))[1] - 1)
    header = _HEADER.pack(_ENCODING_COOKIE, len(payload), 0, _SIGNIFICANT_DIGITS, _LOWEST_US, highest_us, 1.0)
    packed = zlib.compress(header + payload)
    return base64.b64encode(_COMPRESSED_HEADER.pack(_COMPRESSED_COOKIE, len(packed)) + packed).decode()


def _counts_and_gaps(sketch: LatencySketch) -> Iterator[int]:
    """Yield the counts by ascending index. A sequence of n empty buckets becomes -n."""
    next_index = 0
    for index, count in sorted(sketch.buckets.items()):
        if index > next_index:
            yield next_index - index
        yield count
        next_index = index + 1


def _zig_zag(number: int) -> bytes:
    """Return the zig-zag form in LEB128, least significant group first. Counts are below the 9-byte special case."""
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    groups = bytearray()
    while rest > 0x7F:
        groups.append(rest & 0x7F | 0x80)
        rest >>= 7
    groups.append(rest)
    return bytes(groups)
