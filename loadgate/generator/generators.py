"""The processes that make a run's load, as the one that judges the run steers them: its workers, or itself alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from loadgate.generator.pacer import Pacer
from loadgate.run.state import Run
from loadgate.shape.arrivals import ArrivalSchedule, WorkerShare


class Generators(Protocol):
    """What the process that judges a run tells the processes that make its load."""

    def enter_stage(self, label: str) -> None:
        """Have requests that begin from now on marked."""

    def start_arrivals(
        self,
        schedule: ArrivalSchedule,
        marks: Sequence[tuple[float, str]],
        weights: Mapping[str, float],
        until_s: float | None,
    ) -> None:
        """Begin with the arrivals of an open model."""

    def look_after(self, run: Run) -> None:
        """Note which of them are there. Called every second."""

    def finish(self, run: Run, stop_timeout_s: float, hurried: Callable[[], bool]) -> None:
        """Have them end their load, and wait until their last figures are there."""


class ThisProcess:
    """The process that judges also makes the load: what it does to the run itself is all there is to do."""

    def __init__(self, pacer: Pacer | None) -> None:
        self._pacer = pacer

    def enter_stage(self, label: str) -> None:
        """Nobody else marks requests."""

    def start_arrivals(
        self,
        schedule: ArrivalSchedule,
        marks: Sequence[tuple[float, str]],  # noqa: ARG002 - the run itself has been marked
        weights: Mapping[str, float],
        until_s: float | None,
    ) -> None:
        """Begin with all arrivals of the schedule."""
        if self._pacer is not None:
            self._pacer.start(WorkerShare(schedule), weights, until_s)

    def look_after(self, run: Run) -> None:
        """This process is there."""

    def finish(self, run: Run, stop_timeout_s: float, hurried: Callable[[], bool]) -> None:
        """Locust stops the users of this process itself."""
