"""What a search for the capacity is given, what it asks for, and how it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from loadgate.analysis.capacity.trial import Criterion


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What is searched, and how. Rates are per second, and times are in seconds.

    - `width`: the bounds are close enough if the upper one is at most so much higher, such as 0.05.
    - `growth_s`: the length of a trial while the rate doubles; `confirm_s`: that of the last one.
    - `settle_s`: the time at the start of each trial that is not measured.
    - `at_least`: only this rate is tried.
    - `to`: no higher rate is tried.
    - `is_fresh`: each trial has a new target. Otherwise, a target may still suffer from the trial before.
    - `rest_s`: the time without load before a trial that follows a break, if the target is not fresh. It becomes longer
      if the target needs longer to recover.
    """

    criteria: tuple[Criterion, ...]
    first: float = 5.0
    width: float = 0.05
    trial_s: float = 30.0
    confirm_s: float = 120.0
    settle_s: float = 5.0
    budget_s: float = 900.0
    at_least: float | None = None
    to: float = math.inf
    is_fresh: bool = True
    rest_s: float = 20.0

    @property
    def growth_s(self) -> float:
        """Return the length of a trial while the rate doubles. Its results are far from the limits."""
        return min(self.trial_s, max(10.0, self.trial_s / 2))


class Purpose(StrEnum):
    """Why a rate is tried."""

    GROW = "growing"
    BOUND = "narrowing"
    AGAIN = "again"
    """The rate is undecided, its last trial proves nothing, or its target had not recovered."""
    CONFIRM = "confirming"
    ONLY = "only rate"


@dataclass(frozen=True, slots=True)
class NextTrial:
    """The next trial, after `rest_s` without load."""

    rate_per_s: float
    length_s: float
    purpose: Purpose
    rest_s: float = 0.0


class Ending(StrEnum):
    """What a search found."""

    SUSTAINS = "sustains"
    """Two bounds that are close enough, of which the lower one is confirmed."""
    AT_LEAST = "at least"
    """A rate that holds, and no rate that breaks: no higher one could be or was to be tried."""
    NONE = "no rate holds"
    BETWEEN = "between"
    """Bounds that are not close enough, or of which one is missing."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The curve from which the bounds come: the rule that it breaks first, and the number of its trials."""

    rule: str
    trials: int


@dataclass(frozen=True, slots=True)
class End:
    """The end of the search.

    - `holds`, `breaks`: the highest rate that holds, and the lowest that breaks; None if there is none.
    - `reason`: why it ended, one clause; "" if the bounds are close enough.
    - `is_confirmed`: whether the longer trial at `holds`, or at a higher rate, has confirmed it.
    - `fit`: the curve from which the bounds come. Without one, both are rates that were tried.
    - `is_stopped`: whether an interrupt or an error has ended the search. It then never passes.
    - `wanted_budget_s`: roughly the budget with which the bounds would be close enough. None if it is unknown.
    """

    ending: Ending
    holds: float | None
    breaks: float | None
    reason: str = ""
    is_confirmed: bool = False
    by_generator: bool = False
    is_stopped: bool = False
    fit: Fit | None = None
    wanted_budget_s: float | None = None
