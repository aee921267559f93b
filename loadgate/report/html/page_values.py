"""Values that several parts of the report's page use."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(epoch_s: float) -> str:
    """Return a time in UTC, as in `2026-05-01 12:00:00.123 UTC`."""
    at = datetime.fromtimestamp(epoch_s, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"
