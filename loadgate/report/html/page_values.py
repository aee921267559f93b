"""Small values that several parts of the report's page need."""

from __future__ import annotations

from datetime import UTC, datetime

from loadgate.recorder.sketch import bucket_bounds_us


def bucket_ms(bucket: int) -> float:
    """The latency that stands for a bucket of the sketch: its middle."""
    low_us, high_us = bucket_bounds_us(bucket)
    return (low_us + high_us) / 2000


def clock(epoch_s: float) -> str:
    """Write a moment in UTC, as in `2026-05-01 12:00:00.123 UTC`."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"


def offset(seconds: float) -> str:
    """Write a time since the start of the run, as in `0:07`, `12:30`, `1:02:03`."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def span(seconds: float) -> str:
    """Write a length that is a round number of its unit, as in `5 s`, `2 min`, `4 h`."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
