"""A Locust process with a gate: what it can do with a run, as a worker; `loadgate.generator.judging` has the others."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import Runner, WorkerRunner

from loadgate.generator.active_run import ActiveRun
from loadgate.generator.closing import who_ends
from loadgate.generator.descriptors import Reserve
from loadgate.generator.dispatch import Dispatchers
from loadgate.generator.in_flight import settle
from loadgate.generator.interrupts import CtrlC
from loadgate.generator.plan import make_plan, process_name
from loadgate.generator.suite import Choice, Suite
from loadgate.generator.workers import WorkerSide
from loadgate.run.state import Run


class Process(ABC):
    """What a process with a gate has once Locust has been set up, whatever its part in the run is."""

    def __init__(
        self,
        suite: Suite,
        choice: Choice,
        environment: Environment,
        *,
        runner: Runner,
        current: Callable[[], ActiveRun | None],
    ) -> None:
        self.suite = suite
        self.choice = choice
        self.environment = environment
        self.runner = runner
        self.current = current
        """Gives the run that goes on, if any."""
        self.reserve = Reserve()
        self.dispatchers = Dispatchers(self._load_changes)
        # What is in flight counts as unanswered then.
        self.ctrl_c = CtrlC(hurry=lambda: runner.user_greenlets.kill(block=False))

    @property
    def options(self) -> Any:
        """Locust's options."""
        return self.environment.parsed_options

    @abstractmethod
    def begin(self) -> ActiveRun:
        """Begin a run. Ends the calling greenlet, in which Locust was about to spawn users, where there can be none."""

    def is_told(self) -> bool:
        """Whether somebody other than the suite ends the load of this process now."""
        return self.ctrl_c.is_ending

    def stop_load(self, run: Run) -> None:
        """Note who ends the load of a run, and start no more of it."""
        run.end_by(who_ends(run, self.runner, is_interrupted=self.is_told()))
        if gevent.getcurrent() in self.runner.user_greenlets:
            # This user is about to be killed, and the end of the run with it.
            gevent.spawn(self.end_load)
        run.stopping_s = time.time()
        self.dispatchers.halt()

    def settle(self, run: Run) -> None:
        """Wait for what is in flight, no longer than the stop timeout or a second Ctrl-C allow."""
        until_s = (run.stopping_s or 0.0) + self.environment.stop_timeout
        settle(lambda: self.ctrl_c.came_again or time.time() >= until_s)

    @abstractmethod
    def end_load(self) -> None:
        """Have Locust end the load."""

    @abstractmethod
    def end_now(self, run: Run) -> None:
        """Have Locust end the load because the process ends."""

    def note_error(self, event: str, where: str, error: BaseException) -> None:  # noqa: ARG002 - see JudgingProcess
        """Note what a listener of the suite raised, or by what exit code it wanted to end the process."""
        active = self.current()
        if active is not None:
            active.run.record_exception(error, error.__traceback__, f"{where}: ")

    def _begin(self, *, makes_load: bool, timed_by_gate: bool) -> ActiveRun:
        plan = make_plan(self.choice, self.environment, timed_by_gate=timed_by_gate)
        limits, is_open = self.suite.generator_limits, self.options.open_model
        return ActiveRun.begin(plan, process_name(self.runner), limits, makes_load=makes_load, is_open=is_open)

    def _load_changes(self) -> None:
        active = self.current()
        if active is not None and active.run.stopping_s is None:
            active.load_changes()


class WorkerProcess(Process):
    """A worker: does as its master says, and leaves the verdict to it."""

    def __init__(
        self,
        suite: Suite,
        choice: Choice,
        environment: Environment,
        *,
        runner: WorkerRunner,
        current: Callable[[], ActiveRun | None],
        take_last_report: Callable[[], dict[str, Any] | None],
    ) -> None:
        super().__init__(suite, choice, environment, runner=runner, current=current)
        self._side = WorkerSide(runner, current, take_last_report)

    def begin(self) -> ActiveRun:
        """Begin a run; see `Process`."""
        self.reserve.hold()
        self.environment.process_exit_code = 0
        return self._begin(makes_load=True, timed_by_gate=False)

    def is_told(self) -> bool:
        """Whether the master or an interrupt ends the load."""
        return super().is_told() or self._side.is_told()

    def end_load(self) -> None:
        """End the process, which tells the master."""
        self.runner.quit()

    def end_now(self, run: Run) -> None:  # noqa: ARG002 - see Process
        """Send the last report."""
        self._side.finish(self.environment.stop_timeout)
