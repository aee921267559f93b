"""Sparklines: the course of a few values in a line of text."""

from __future__ import annotations

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "12345678"
UNKNOWN = "·"
PLAIN_UNKNOWN = "-"
MAX_SPARKS = 40
"""Maximum number of runs in a sparkline. It shows the newest ones."""


def sparkline(values: Sequence[float | None], bars: str = BARS, unknown: str = UNKNOWN) -> str:
    """Return a bar for each value, scaled between the minimum and the maximum. Equal values have half the height."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def bar(value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        return bars[min(len(bars) - 1, int(share * len(bars)))]

    return "".join(unknown if value is None else bar(value) for value in values)
