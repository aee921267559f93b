"""The states of the load of a run: under load, then stopped."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.rules import RuleResult
from loadgate.run.judgement import EndedBy


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of the end of the load. `broken` is the failed result, if a rule with `abort` is the cause."""

    by: EndedBy
    broken: RuleResult | None = None


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """The load continues. `cause` is set as soon as something has decided to end it."""

    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The users have been told to stop at `at_s` (epoch seconds)."""

    cause: Cause
    at_s: float


LoadState = UnderLoad | Stopped
