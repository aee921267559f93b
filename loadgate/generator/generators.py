"""The control of the processes that generate load, for the process that determines the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from locust.runners import Runner

from loadgate.generator.pacer import Pacer
from loadgate.run.state import Run
from loadgate.shape.arrivals import ArrivalSchedule
from loadgate.shape.shares import WorkerShare


class Generators:
    """The control of the processes that generate load. By default, each method does nothing."""

    def enter_stage(self, label: str) -> None:
        """Set the stage of requests that start from now on."""

    def are_users_ready(self, since_s: float) -> bool:  # noqa: ARG002 - see MasterSide
        """Return whether all users wait for an arrival, so their `on_start` has ended.

        `since_s` is the monotonic time at which the last user was started.
        """
        return True

    def start_arrivals(self, schedule: ArrivalSchedule, weights: Mapping[str, float], until_s: float | None) -> None:
        """Start the arrivals of an open model."""

    def check_processes(self, run: Run) -> None:
        """Note which processes are present. The controller calls it every second."""

    def finish(self, run: Run, stop_timeout_s: float, must_hurry: Callable[[], bool]) -> None:
        """End the load, and wait for the final reports."""


class ThisProcess(Generators):
    """A single process that generates the load and determines the verdict. It needs no messages."""

    def __init__(self, pacer: Pacer | None, runner: Runner) -> None:
        self._pacer = pacer
        self._runner = runner

    def are_users_ready(self, since_s: float) -> bool:  # noqa: ARG002 - see Generators
        """Return whether all users wait for an arrival."""
        return self._pacer is None or self._pacer.free_users >= self._runner.user_count

    def start_arrivals(self, schedule: ArrivalSchedule, weights: Mapping[str, float], until_s: float | None) -> None:
        """Start all arrivals of the schedule."""
        if self._pacer is not None:
            self._pacer.start(schedule, WorkerShare(), weights, until_s)
