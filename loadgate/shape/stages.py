"""When a run's load changes, and what its requests are marked with meanwhile. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.recorder import RAMP, STEADY
from loadgate.shape.arrivals import ArrivalSchedule
from loadgate.shape.profile import LoadProfile


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_s` after the start on, go to `users` at `spawn_rate` per second; then requests are marked `label`."""

    at_s: float
    users: int
    spawn_rate: float
    label: str


def closed_steps(profile: LoadProfile) -> list[Step]:
    """Return the steps of a closed model with stages; of one without, its single step."""
    if not profile.stages:
        return [Step(0.0, profile.users, profile.spawn_rate, STEADY)]
    steps: list[Step] = []
    at_s, users_before = 0.0, 0
    for name, stage in zip(profile.stage_names, profile.stages, strict=True):
        users = stage.users or 0
        change = abs(users - users_before)
        rate = change / stage.ramp_s if stage.ramp_s and change else stage.spawn_rate or profile.spawn_rate
        steps.append(Step(at_s, users, rate, name))
        at_s += stage.duration_s
        users_before = users
    return steps


def open_marks(schedule: ArrivalSchedule) -> list[tuple[float, str]]:
    """Return (seconds after the start, mark) for each segment: ramp while the rate changes, else its stage's name."""
    marks: list[tuple[float, str]] = []
    at_s = 0.0
    for segment in schedule.segments:
        marks.append((at_s, RAMP if segment.slope else segment.name or STEADY))
        at_s += segment.duration_s
    return marks
