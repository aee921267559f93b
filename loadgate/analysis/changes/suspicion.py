"""Whether the newest run alone differs. One run proves nothing, so this is a suspicion and never a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

MIN_BEFORE = 8
"""With fewer earlier runs, their spread is not known well enough."""
DEVIATIONS = 4.0
_MAD_TO_SIGMA = 1.4826
"""The median absolute deviation of a normal distribution is 1 / 1.4826 of its standard deviation."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The newest value, and the median of the `runs_before` values since the latest change."""

    before: float
    newest: float
    runs_before: int


def suspect_newest(values: Sequence[float], latest_change: int, min_change: float) -> Suspicion | None:
    """Return a suspicion if the newest value is far from all values since the latest change, else None.

    Far means: at least `min_change` and four robust standard deviations from their median, and beyond all of them. The
    median and its absolute deviation hardly move if the run before the newest differs, too.
    """
    *before, newest = values[latest_change:] or [0.0]
    if len(before) < MIN_BEFORE:
        return None
    middle = median(before)
    spread = _MAD_TO_SIGMA * median(abs(value - middle) for value in before)
    distance = abs(newest - middle)
    is_beyond_all = newest > max(before) or newest < min(before)
    if is_beyond_all and distance >= max(min_change, DEVIATIONS * spread):
        return Suspicion(middle, newest, len(before))
    return None
