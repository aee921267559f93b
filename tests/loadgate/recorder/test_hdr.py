"""Test the HdrHistogram log with a small decoder that follows the description of the format."""

import base64
import random
import struct
import zlib

import pytest

from loadgate.recorder import FinishedRequest, LatencySketch, Outcome, Recorder, histogram_log
from loadgate.recorder.hdr import encode


def decode(text: str) -> dict[int, int]:
    """Counts by index of a compressed V2 histogram."""
    blob = base64.b64decode(text)
    cookie, length = struct.unpack(">ii", blob[:8])
    assert cookie == 0x1C849314
    assert length == len(blob) - 8
    body = zlib.decompress(blob[8:])
    cookie, length, offset, digits, lowest, highest, ratio = struct.unpack(">iiiiqqd", body[:40])
    assert (cookie, length, offset, digits, lowest, ratio) == (0x1C849313, len(body) - 40, 0, 2, 1, 1.0)
    assert highest >= 600_000_000
    counts, index, at = {}, 0, 40
    while at < len(body):
        value = shift = 0
        while True:
            value |= (body[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not body[at - 1] & 0x80:
                break
        number = (value >> 1) ^ -(value & 1)
        if number < 0:
            index -= number
        else:
            counts[index] = number
            index += 1
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_a_histogram_decodes_to_the_buckets_of_the_sketch(seed: int) -> None:
    rnd = random.Random(seed)
    sketch = LatencySketch()
    for _ in range(3000):
        sketch.record(rnd.lognormvariate(3, 2), times=rnd.choice([1, 1, 300]))

    assert decode(encode(sketch)) == sketch.buckets


def test_indices_are_those_of_two_significant_digits() -> None:
    sketch = LatencySketch()
    for value_ms in (0.1, 0.1, 5.0, 104.0, 2000.0):
        sketch.record(value_ms)

    # 104,000 us has 17 bits: shift 9, and 9 * 128 + (104,000 >> 9) = 1355.
    assert decode(encode(sketch)) == {100: 2, 796: 1, 1355: 1, 1908: 1}


def test_the_log_has_a_line_for_each_second_name_and_outcome() -> None:
    recorder = Recorder()
    recorder.record(FinishedRequest("GET /a, b", Outcome.SUCCESS, start_s=1000.2, latency_ms=5))
    recorder.record(FinishedRequest("GET /a, b", Outcome.FAILURE, start_s=1002.2, latency_ms=7))
    recorder.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=1000.2, latency_ms=6.25))

    lines = list(histogram_log(recorder))

    assert lines[1:4] == [
        "#[Histogram log format version 1.3]",
        "#[StartTime: 1000.000 (seconds since epoch)]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    assert [line.rsplit(",", 1)[0] for line in lines[4:]] == [
        "Tag=GET_/a_b/success,0.000,1.000,5.000",
        "Tag=ping/success,0.000,1.000,6.250",
        "Tag=GET_/a_b/failure,2.000,1.000,7.000",
    ]
    assert [decode(line.rsplit(",", 1)[1]) for line in lines[4:]] == [{796: 1}, {835: 1}, {858: 1}]


def test_an_empty_run_gives_a_log_without_lines() -> None:
    assert all(line.startswith(("#", '"')) for line in histogram_log(Recorder()))
