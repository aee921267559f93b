"""Small values that several parts of the report's page need."""

from __future__ import annotations

from datetime import UTC, datetime

from loadgate.recorder.sketch import bucket_bounds_us


def bucket_ms(bucket: int) -> float:
    """The latency that stands for a bucket of the sketch: its middle."""
    low_us, high_us = bucket_bounds_us(bucket)
    return (low_us + high_us) / 2000


def moment(epoch_s: float) -> str:
    """Write a moment in UTC, as in `2026-05-01 12:00:00.123 UTC`."""
    at = datetime.fromtimestamp(epoch_s, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"
