"""Load profiles: the number of users, their classes, the spawn rate and the run time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from loadgate.environment import quoted
from loadgate.errors import LimitError, SuiteError
from loadgate.recorder import OUTSIDE, RAMP
from loadgate.rules import read_limits
from loadgate.shape.arrivals import ArrivalSchedule, RateSegment, parse_rate
from loadgate.units import count, duration, duration_s, given

__all__ = ["LoadProfile", "ProfileError", "Stage", "duration_s", "find_profile"]


class ProfileError(SuiteError, ValueError):
    """Raised for a profile that cannot be run. Each line names the profile, the problem and what to change."""


@dataclass(frozen=True)
class Stage:
    """A part of a run: `users`, or `rate` arrivals per second in an open model, for `duration`.

    The load changes from that of the previous stage at `spawn_rate` users per second (default: that of the profile), or
    evenly over `ramp`. Requests that start during this change belong to the stage `ramp`.
    """

    duration: str | float
    users: int | None = None
    rate: float | None = None
    spawn_rate: float | None = None
    ramp: str | float | None = None
    name: str = ""

    @property
    def duration_s(self) -> float:
        """Return the length in seconds, including the ramp."""
        return duration_s(self.duration)

    @property
    def ramp_s(self) -> float:
        """Return the length of the ramp in seconds, 0 if `spawn_rate` decides it."""
        return 0.0 if self.ramp is None else duration_s(self.ramp)


@dataclass(frozen=True)
class LoadProfile:
    """A named load.

    - `users`, `spawn_rate`: the number of users, and how many of them start per second.
    - `run_time`: `30s`, `5m`, `1h30m`, or a number of seconds.
    - `weight_config`: the weight of each user class by its name. A class that is absent or has weight 0 does not run.
      An empty mapping keeps the weights of the classes.
    - `rate`: `50/s`, or `10..200/s over 2m`. It makes the profile an open model: requests start at scheduled times,
      whether or not earlier responses have arrived.
    - `stages`: several levels of load, instead of `users` and `run_time`.
    - `thresholds`, `rules`: replace those of the suite.
    """

    name: str
    description: str = ""
    users: int = 1
    spawn_rate: float = 1.0
    run_time: str | float = "1m"
    weight_config: Mapping[str, int] = field(default_factory=dict)
    rate: str | None = None
    stages: Sequence[Stage] = ()
    thresholds: Mapping[str, float] | None = None
    rules: Sequence[str] | None = None

    @property
    def run_time_s(self) -> float:
        """Return the length of the run in seconds. Raises ValueError if `run_time` cannot be read."""
        if self.stages:
            return sum(stage.duration_s for stage in self.stages)
        return duration_s(self.run_time)

    @property
    def stage_names(self) -> list[str]:
        """Return the name of each stage. A stage without a name is called by its number, such as `stage 2`."""
        return [stage.name or f"stage {number}" for number, stage in enumerate(self.stages, start=1)]

    @property
    def load_text(self) -> str:
        """Return a summary of the load: `10 users, 1/s, 1 min`, or `up to 200 arrivals/s, 2 min` for an open model."""
        length = duration(self.run_time_s)
        if (schedule := self.arrivals()) is not None:
            rates = {rate for segment in schedule.segments for rate in (segment.first, segment.last)}
            return f"{'up to ' if len(rates) > 1 else ''}{given(schedule.peak_rate)} arrivals/s, {length}"
        users = max((stage.users or 0 for stage in self.stages), default=self.users)
        return f"{count(users)} users, {given(self.spawn_rate, '/s')}, {length}"

    @property
    def stage_texts(self) -> list[str]:
        """Return a summary of each stage: `base: 15 arrivals/s, 1 min`, or `rush: 8 users, 30 s with a ramp of 5 s`."""
        texts = []
        for name, stage in zip(self.stage_names, self.stages, strict=True):
            load = f"{count(stage.users)} users" if stage.users is not None else f"{given(stage.rate)} arrivals/s"
            ramp = f" with a ramp of {duration(stage.ramp_s)}" if stage.ramp_s else ""
            texts.append(f"{name}: {load}, {duration(stage.duration_s)}{ramp}")
        return texts

    def arrivals(self) -> ArrivalSchedule | None:
        """Return the schedule of an open model, None for a closed one. Raises ValueError if `rate` cannot be read."""
        if self.rate is not None:
            return parse_rate(self.rate)
        if not self.stages or any(stage.rate is None for stage in self.stages):
            return None
        return _stage_arrivals(self.stages, self.stage_names)

    @property
    def mean_rate_per_s(self) -> float | None:
        """Return the mean rate of the arrivals of an open model, None for a closed one."""
        schedule = self.arrivals()
        return None if schedule is None else schedule.count_before(self.run_time_s) / self.run_time_s

    @property
    def own_limits(self) -> tuple[Mapping[str, float], Sequence[str]] | None:
        """Return the profile's thresholds and rules, which replace those of the suite. None if it has neither."""
        if self.thresholds is None and self.rules is None:
            return None
        return self.thresholds or {}, self.rules or ()

    def problems(self, known_classes: Collection[str] | None = None) -> list[str]:
        """Return one line for each problem that prevents a run of this profile. Empty if there is none."""
        found = [
            *_level_problems(self),
            *_rate_problems(self),
            *_weight_problems(self.weight_config, known_classes),
            *_rule_problems(self),
        ]
        return [f"profile {self.name!r}: {problem}" for problem in found]

    def validate(self, known_classes: Collection[str] | None = None) -> None:
        """Raise ProfileError with all problems. `known_classes` are the names of the suite's user classes."""
        problems = self.problems(known_classes)
        if problems:
            raise ProfileError("\n".join(problems))


def find_profile(name: str, profiles: Mapping[str, LoadProfile]) -> LoadProfile:
    """Return the profile `name`. Raises ProfileError with the known names."""
    if name not in profiles:
        known = ", ".join(profiles) or "none is declared"
        hint = "".join(f"; did you mean {close!r}?" for close in get_close_matches(name, profiles, 1))
        raise ProfileError(f"unknown load profile {quoted(name)}; known profiles: {known}{hint}")
    return profiles[name]


def _level_problems(profile: LoadProfile) -> list[str]:
    problems = []
    if not isinstance(profile.description, str):
        problems.append(f"description must be text, not {profile.description!r}")
    if not _is_whole(profile.users) or profile.users < 1:
        problems.append(f"users must be a whole number of at least 1, not {profile.users!r}")
    if not _is_positive(profile.spawn_rate):
        problems.append(f"spawn_rate must be a number of users per second above 0, not {profile.spawn_rate!r}")
    try:
        duration_s(profile.run_time)
    except ValueError as error:
        problems.append(f"run_time: {error}")
    if not isinstance(profile.stages, list | tuple):
        problems.append(f"stages must be a list of Stage(...), not {profile.stages!r}")
        return problems
    for number, stage in enumerate(profile.stages, start=1):
        problems += [f"stage {number}: {problem}" for problem in _stage_problems(stage)]
    return problems


def _stages(profile: LoadProfile) -> list[Stage]:
    """Return the stages of the profile, without items of a wrong type."""
    given = profile.stages
    return [stage for stage in given if isinstance(stage, Stage)] if isinstance(given, list | tuple) else []


def _stage_arrivals(stages: Sequence[Stage], names: Sequence[str]) -> ArrivalSchedule:
    """Return the schedule of stages: each changes from the previous rate (0 at first) to its own during its ramp."""
    segments = []
    rate_before = 0.0
    for stage, name in zip(stages, names, strict=True):
        rate = stage.rate or 0.0
        ramp_s = stage.ramp_s if rate != rate_before else 0.0
        if ramp_s:
            segments.append(RateSegment(rate_before, rate, ramp_s))
        if stage.duration_s > ramp_s:
            segments.append(RateSegment(rate, rate, stage.duration_s - ramp_s, name))
        rate_before = rate
    return ArrivalSchedule(tuple(segments))


def _rate_problems(profile: LoadProfile) -> list[str]:
    problems = []
    if profile.rate is not None:
        if profile.stages:
            problems.append("give either rate or stages")
        try:
            parse_rate(profile.rate)
        except ValueError as error:
            problems.append(f"rate: {error}")
    with_rate = [stage.rate is not None for stage in _stages(profile)]
    if any(with_rate) and not all(with_rate):
        problems.append("either all stages have a rate or none, because a run is either an open or a closed model")
    return problems


def _rule_problems(profile: LoadProfile) -> list[str]:
    try:
        read_limits(*(profile.own_limits or ({}, ())))
    except LimitError as error:
        return str(error).splitlines()
    return []


def _stage_problems(stage: Stage) -> list[str]:
    if not isinstance(stage, Stage):
        return [f"must be a Stage(...), not {stage!r}"]
    problems = _stage_name_problems(stage.name)
    if (stage.users is None) == (stage.rate is None):
        problems.append("give either users or rate")
    if stage.users is not None and (not _is_whole(stage.users) or stage.users < 0):
        problems.append(f"users must be a whole number of at least 0, not {stage.users!r}")
    if stage.rate is not None and not (_is_number(stage.rate) and stage.rate >= 0):
        problems.append(f"rate must be a number of arrivals per second of at least 0, not {stage.rate!r}")
    if stage.spawn_rate is not None and not _is_positive(stage.spawn_rate):
        problems.append(f"spawn_rate must be above 0, not {stage.spawn_rate!r}")
    if stage.spawn_rate is not None and stage.ramp is not None:
        problems.append("give either spawn_rate or ramp")
    try:
        if stage.ramp_s > stage.duration_s:
            problems.append(f"the ramp ({stage.ramp}) is longer than the stage ({stage.duration})")
    except ValueError as error:
        problems.append(str(error))
    return problems


def _stage_name_problems(name: object) -> list[str]:
    if not isinstance(name, str):
        return [f"name must be text, not {name!r}"]
    if name in (RAMP, OUTSIDE):
        return [f"the name {name!r} is reserved for requests outside of all stages; choose another name"]
    return []


def _weight_problems(weights: Mapping[str, int], known_classes: Collection[str] | None) -> list[str]:
    if not isinstance(weights, Mapping):
        return [f"weight_config must map class names to weights, such as {{'AUser': 1}}, not {weights!r}"]
    problems = [
        f"the weight of {name} must be a whole number of at least 0, not {weight!r}"
        for name, weight in weights.items()
        if not _is_whole(weight) or weight < 0
    ]
    if weights and not problems and not any(weights.values()):
        problems.append("every class has weight 0; at least one class needs a weight above 0")
    if known_classes is not None:
        unknown = [str(name) for name in weights if name not in known_classes]
        if unknown:
            known = ", ".join(sorted(known_classes)) or "none"
            problems.append(f"unknown user class {', '.join(unknown)} in weight_config; known classes: {known}")
    return problems


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_positive(value: float) -> bool:
    return _is_number(value) and value > 0
