"""Round numbers for the labels of an axis."""

from __future__ import annotations

import math

_FACTORS = (1, 2, 5)


def round_step(least: float) -> float:
    """Return the smallest of 1, 2 or 5 times a power of ten that is not below `least`, which is above 0."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (*_FACTORS, 10) if factor * power >= least * (1 - 1e-9))


def ticks_from_0(high: float, most: int) -> list[float]:
    """Return at most `most` multiples of a round step, from 0 to the first that is not below `high`, above 0."""
    step = round_step(high / (most - 1))
    return [round(number * step, 12) for number in range(math.ceil(high / step * (1 - 1e-9)) + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at least two round numbers that enclose `low` and `high`, both above 0, for a logarithmic axis.

    They are powers of ten, and 2 and 5 times these if there are at most `most` of them.
    """
    first, last = math.floor(math.log10(low)), max(math.floor(math.log10(low)) + 1, math.ceil(math.log10(high)))
    values = [factor * 10.0**power for power in range(first, last + 1) for factor in _FACTORS]
    start = max(number for number, value in enumerate(values) if value <= low)
    end = max(start + 1, min(number for number, value in enumerate(values) if value >= high))
    if end - start < most:
        return values[start : end + 1]
    step = math.ceil((last - first) / (most - 1))
    return [10.0**power for power in range(first, last + step, step)]
