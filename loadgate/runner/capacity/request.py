"""The arguments of `loadgate capacity`, and their checks."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from loadgate import units
from loadgate.checks import host_problem
from loadgate.credentials import without_credentials
from loadgate.environment import quoted
from loadgate.errors import RequestError
from loadgate.shape.arrivals import ArrivalSchedule, parse_rate

HOST_VARIABLE = "TARGET_HOST"
"""The environment variable with the host, if it is not given."""

MAX_RATE = 1e6
"""Arrivals per second, more than any generator can make."""


class CapacityError(RequestError):
    """Raised if the request for a search is wrong. The text is one line."""


@dataclass(frozen=True, slots=True)
class CapacityRequest:
    """The arguments of `loadgate capacity`. An empty `profile` means the suite's default.

    Rates are texts such as `5/s`. Without `host`, each trial has a fresh target.
    """

    profile: str = ""
    first: str = "5/s"
    to: str | None = None
    at_least: str | None = None
    width: float = 0.05
    trial_s: float = 30.0
    confirm_s: float = 120.0
    settle_s: float = 5.0
    budget_s: float = 900.0
    host: str | None = None
    seed: int = 1
    locustfile: str | None = None

    @property
    def first_per_s(self) -> float:
        """Return the first rate in arrivals per second."""
        return _rate("--from", self.first)

    @property
    def to_per_s(self) -> float:
        """Return the highest rate to try, infinite if there is none."""
        return math.inf if self.to is None else _rate("--to", self.to)

    @property
    def at_least_per_s(self) -> float | None:
        """Return the only rate to try, None for a search."""
        return None if self.at_least is None else _rate("--at-least", self.at_least)

    def check(self) -> None:
        """Check everything that needs no suite.

        Raises:
            CapacityError: An argument is wrong.
        """
        if problem := next(self._problems(), None):
            raise CapacityError(problem)

    def _problems(self) -> Iterator[str]:
        if self.host and (problem := host_problem(self.host)):
            source = HOST_VARIABLE if os.environ.get(HOST_VARIABLE) == self.host else "--host"
            yield without_credentials(f"{source}: {problem}")
        if self.first_per_s > self.to_per_s:
            yield f"--from {self.first} must not be above --to {self.to}"
        if not 0.01 <= self.width <= 1:
            yield f"--width {units.plain(100 * self.width)}%: must be from 1% to 100%"
        trial, confirm, settle = map(units.compact_duration, (self.trial_s, self.confirm_s, self.settle_s))
        for option, length_s in ((f"--trial {trial}", self.trial_s), (f"--confirm {confirm}", self.confirm_s)):
            if not (whole_s := self.settle_s + length_s).is_integer():
                yield (
                    f"{option} and --settle {settle} are {units.given(whole_s, 's')} together; this must be whole "
                    "seconds, because Locust has no shorter runs"
                )
        if self.trial_s < 10:
            yield f"--trial {trial}: must be at least 10s"
        if self.confirm_s < self.trial_s:
            yield f"--confirm {confirm}: must be at least as long as --trial {trial}"
        if self.budget_s < self._least_budget_s:
            what = "a trial" if self.at_least_per_s is not None else "one trial and the confirmation"
            least = units.compact_duration(math.ceil(self._least_budget_s))
            budget = units.compact_duration(self.budget_s)
            yield f"--budget {budget}: must be at least {least}, the time of {what} with --settle"

    @property
    def _least_budget_s(self) -> float:
        """Return the time without which the request can have no conclusion, in seconds."""
        trial_s = self.settle_s + self.trial_s
        return trial_s if self.at_least_per_s is not None else trial_s + self.settle_s + self.confirm_s


def _rate(option: str, text: str) -> float:
    try:
        schedule = parse_rate(text)
    except ValueError:
        schedule = ArrivalSchedule()
    if len(schedule.segments) != 1:
        problem = "is not one arrival rate above 0; write it like 50/s or 90/min"
        if re.fullmatch(r"[0-9]{0,6}[1-9][0-9]{0,6}", text):
            problem = f"has no unit; did you mean {text}/s?"
        raise CapacityError(f"{option}: {quoted(text)} {problem}")
    if schedule.peak_rate > MAX_RATE:
        raise CapacityError(f"{option}: {text!r} is above {units.given(MAX_RATE, '/s')}")
    return schedule.peak_rate
