"""Percentiles as the page shows them: a dash if they rest on too few samples, as in the rules."""

from __future__ import annotations

from loadgate.analysis.confidence import min_samples
from loadgate.units import UNKNOWN, milliseconds


def percentile_text(name: str, value_ms: float | None, samples: int) -> str:
    """Return a percentile, as in `105 ms` for the name `p95`. A dash if a rule could not read it."""
    return milliseconds(value_ms) if has_enough(name, samples) else UNKNOWN


def has_enough(name: str, samples: int) -> bool:
    """Return whether a figure, such as `p95`, rests on enough samples. Other figures than percentiles always do."""
    return not name.startswith("p") or samples >= min_samples(float(name[1:]) / 100)


def samples_note(name: str, samples: int) -> str:
    """Return the number of samples if they are too few for a percentile, as in `n = 4`. "" if they are enough."""
    return "" if has_enough(name, samples) else f"n = {samples}"
