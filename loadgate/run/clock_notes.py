"""Sentences on the clocks of workers whose times are uncertain, or whose clocks are wrong."""

from __future__ import annotations

from collections.abc import Iterable

from loadgate.run.document.environment import ClockRecord, GeneratorRecord
from loadgate.units import duration, figure, quantity

MIN_REPORTED_SKEW_S = 1.0
"""A smaller skew is usual between machines and is not reported. The times are converted in any case."""

MAX_ERROR_S = 0.05
MAX_DRIFT_PPM = 100.0
"""A faster drift is a defect of a clock, or its correction by NTP."""


def clock_notes(generators: Iterable[GeneratorRecord]) -> list[str]:
    """Return at most one sentence for each worker."""
    return [
        note
        for generator in generators
        if generator.clock is not None and (note := _note(generator.process, generator.clock))
    ]


def _note(process: str, clock: ClockRecord) -> str:
    found = []
    if abs(clock.skew_s) >= MIN_REPORTED_SKEW_S:
        found.append(f"was {duration(abs(clock.skew_s))} {'behind' if clock.skew_s > 0 else 'ahead of'} the master's")
    if abs(clock.drift_ppm) > MAX_DRIFT_PPM:
        found.append(f"drifted from the master's by at least {figure(abs(clock.drift_ppm))} ppm")
    if clock.set_by_s:
        found.append(f"was set {_direction(clock.set_by_s)} during the run")
    if clock.jump_s:
        found.append(
            f"differed by {duration(abs(clock.jump_s))} from one comparison with the master's to the next, so times up "
            "to 10 s before that can be wrong by as much"
        )
    if clock.error_s > MAX_ERROR_S:
        error = quantity(clock.error_s * 1000, "ms")
        found.append(f"could be compared with the master's only to ±{error}, because their messages were slow")
    if not found:
        return ""
    return f"the clock of {process} {', '.join(found)}; the times of its requests are converted to the master's"


def _direction(set_by_s: float) -> str:
    return f"{'forward' if set_by_s > 0 else 'back'} by {duration(abs(set_by_s))}"
