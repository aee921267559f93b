"""The times at which the load of a run changes, and the stages of its requests. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.recorder import RAMP, STEADY
from loadgate.shape.arrivals import ArrivalSchedule, RateSegment
from loadgate.shape.profile import LoadProfile


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the load, `at_s` seconds after the start, to `users` at `spawn_rate` users per second.

    Requests after the change belong to the stage `label`.
    """

    at_s: float
    users: int
    spawn_rate: float
    label: str


def closed_steps(profile: LoadProfile) -> list[Step]:
    """Return the steps of a closed model: one for each stage, or a single one if it has no stages."""
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


def settling(schedule: ArrivalSchedule, settle_s: float) -> ArrivalSchedule:
    """Return the same arrivals, with those of the first `settle_s` seconds in the stage `ramp`."""
    begin_s, segments = 0.0, []
    for segment in schedule.segments:
        before_s = min(max(0.0, settle_s - begin_s), segment.duration_s)
        at_cut = segment.first + segment.slope * before_s
        if before_s:
            segments.append(RateSegment(segment.first, at_cut, before_s, RAMP))
        if before_s < segment.duration_s:
            segments.append(RateSegment(at_cut, segment.last, segment.duration_s - before_s, segment.name))
        begin_s += segment.duration_s
    return ArrivalSchedule(tuple(segments))


def open_stage_starts(schedule: ArrivalSchedule) -> list[tuple[float, str]]:
    """Return (seconds after the start, stage) for each segment: `ramp` if the rate changes, else the stage's name."""
    marks: list[tuple[float, str]] = []
    at_s = 0.0
    for segment in schedule.segments:
        marks.append((at_s, RAMP if segment.slope else segment.name or STEADY))
        at_s += segment.duration_s
    return marks
