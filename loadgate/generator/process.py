"""The base class of Locust processes with a gate: of workers (`workers`) and of the others (`judging`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import Runner

from loadgate.generator.active_run import ActiveRun
from loadgate.generator.closing import cause_of_end
from loadgate.generator.descriptors import Reserve
from loadgate.generator.dispatch import Dispatchers
from loadgate.generator.health import prepare_stack_inspection
from loadgate.generator.in_flight import settle
from loadgate.generator.interrupts import CtrlC
from loadgate.generator.plan import make_plan, process_name
from loadgate.generator.suite import Choice, Suite
from loadgate.run.clock import RunClock
from loadgate.run.load_state import Stopped
from loadgate.run.state import Run


@dataclass(eq=False)
class Process(ABC):
    """The base class of Locust processes with a gate, used after Locust has started."""

    suite: Suite
    choice: Choice
    environment: Environment
    runner: Runner
    current: Callable[[], ActiveRun | None]
    """Returns the run in progress, if any."""

    def __post_init__(self) -> None:
        """Prepare the process for its runs."""
        prepare_stack_inspection()
        self.reserve = Reserve()
        self.dispatchers = Dispatchers(self._load_changes, self._worker_is_lost)
        self.environment.dispatcher_class = self.dispatchers  # type: ignore[assignment]  # Locust only calls it
        # A second Ctrl-C kills the users, so that their requests in flight count as unanswered.
        self.ctrl_c = CtrlC(on_repeat=lambda: self.runner.user_greenlets.kill(block=False))

    @property
    def options(self) -> Any:
        """Return Locust's options."""
        return self.environment.parsed_options

    @abstractmethod
    def begin(self) -> ActiveRun:
        """Start a run. If it cannot start, end the calling greenlet, in which Locust would spawn the users."""

    def is_told_to_stop(self) -> bool:
        """Return whether something other than the suite is ending the load of this process."""
        return self.ctrl_c.is_ending

    def stop_load(self, run: Run) -> None:
        """Note the cause of the end of the load, and start no more users."""
        run.stop(cause_of_end(run, self.runner, is_interrupted=self.is_told_to_stop()))
        if gevent.getcurrent() in self.runner.user_greenlets:
            # A user has stopped the run. Its greenlet is about to be killed, so another greenlet ends the load.
            gevent.spawn(self.end_load)
        self.dispatchers.halt()

    def settle(self, run: Run) -> None:
        """Wait for requests in flight until the stop timeout or a second Ctrl-C."""
        until_s = (run.load.at_s if isinstance(run.load, Stopped) else 0.0) + self.environment.stop_timeout
        settle(lambda: self.ctrl_c.was_repeated or run.clock.now_s() >= until_s)

    @abstractmethod
    def end_load(self) -> None:
        """Make Locust end the load."""

    @abstractmethod
    def end_now(self, run: Run) -> None:
        """Make Locust end the load because the process ends."""

    def note_error(self, event: str, where: str, error: BaseException) -> None:  # noqa: ARG002 - see JudgingProcess
        """Record an exception or an exit of a listener of the suite."""
        active = self.current()
        if active is not None:
            active.run.record_exception(error, error.__traceback__, f"{where}: ")

    def _begin(self, *, generates_load: bool, timed_by_gate: bool, clock: RunClock | None = None) -> ActiveRun:
        plan = make_plan(self.choice, self.environment, timed_by_gate=timed_by_gate)
        limits, is_open = self.suite.generator_limits, self.options.open_model
        return ActiveRun.begin(
            Run(plan, clock=clock or RunClock()),
            process_name(self.runner),
            limits,
            generates_load=generates_load,
            is_open=is_open,
        )

    def _load_changes(self) -> None:
        active = self.current()
        if active is not None and not active.run.is_stopped:
            active.load_changes()

    def _worker_is_lost(self) -> None:
        """Handle the loss of a worker. Only a master has any."""
        return
