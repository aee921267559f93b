"""The plan of a run: what is started, and how it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadgate.rules import Rule
from loadgate.shape.arrivals import ArrivalSchedule
from loadgate.shape.profile import LoadProfile
from loadgate.shape.stages import Step


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run."""

    profile: LoadProfile
    rules: tuple[Rule, ...]
    host: str
    """The host, redacted."""
    users: int | None
    spawn_rate: float | None
    run_time_s: float | None
    stop_timeout_s: float
    processes: int
    """Number of processes that generate load."""
    user_classes: Mapping[str, float]
    """Weights by class name."""
    steps: tuple[Step, ...] = ()
    """The changes of the number of users in a closed model."""
    arrivals: ArrivalSchedule | None = None
    """The intended starts of tasks in an open model."""
    seed: int | None = None
    """The seed of all random numbers. `None` if the run is not repeatable."""
    timed_by_gate: bool = False
    """Whether the gate ends the run. Locust's timer would include the time before the load."""
    fewer_users: str = ""
    """A clause with the number of users, if the run was started with fewer than its profile has."""
    groups_without_users: frozenset[str] = frozenset()
    """Groups of the profile for which this run was started without users."""
    remarks: tuple[str, ...] = ()
    """Sentences about the plan for the notes of the verdict."""
    request_types: frozenset[str] = frozenset()
    """Types of request events that the suite declares as requests or as measures."""
    suite_hash: str | None = None
    """A hash of the suite's files. `None` if they are unknown."""
