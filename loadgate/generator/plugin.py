"""The load gate of a Locust process (single, master or worker), driven by Locust's events."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

import gevent
from gevent.lock import RLock
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import Runner, WorkerRunner

from loadgate.errors import SuiteError
from loadgate.exit_codes import ExitCode
from loadgate.generator.active_run import ActiveRun
from loadgate.generator.groups import declare_groups
from loadgate.generator.hooks import GateHook
from loadgate.generator.in_flight import follow_clients
from loadgate.generator.judging import JudgingProcess
from loadgate.generator.locust_figures import show_precise_figures
from loadgate.generator.process import Process
from loadgate.generator.report_delivery import GRACE_S
from loadgate.generator.request_events import measured, record_measure, record_request
from loadgate.generator.suite import Choice, Suite, configure, refuse
from loadgate.generator.web_tab import add_tab, refuse_profiles
from loadgate.generator.workers import WorkerProcess
from loadgate.live.channel import LIVE_VARIABLE
from loadgate.live.state import LiveState
from loadgate.recorder.request import Measure
from loadgate.report.conclusion import Conclusion
from loadgate.stdio import use_safe_streams

SHUTDOWN_WAIT_S = 60.0
"""A process shuts down in less than this time."""

INTERRUPT_WAIT_S = 2.0
"""Time for requests in flight to finish after Ctrl-C or SIGTERM. A second Ctrl-C ends the wait."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Locust has not read its command line yet."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The profile is chosen, and Locust is starting."""

    choice: Choice


@dataclass(frozen=True, slots=True)
class Attached:
    """Locust has started, and there has been no run."""

    process: Process


@dataclass(frozen=True, slots=True)
class Running:
    """A run is in progress, until its last requests have ended."""

    process: Process
    active: ActiveRun


@dataclass(frozen=True, slots=True)
class Judging:
    """The load of a run has ended, and its verdict is being determined."""

    process: Process
    active: ActiveRun


@dataclass(frozen=True, slots=True)
class Concluded:
    """A run has ended in this process. In the web UI another one can start."""

    process: Process


State = Idle | Configured | Attached | Running | Judging | Concluded


class LoadGate:
    """The gate of a process, a state machine whose transitions are Locust's events.

    Its states are idle, configured, attached, running, judging and concluded. In the web UI, another run can follow.
    """

    attached: ClassVar[LoadGate | None] = None

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._state: State = Idle()
        self._is_quitting = False
        self._concluding = RLock()

    def attach(self, events: Any) -> None:
        """Listen to Locust's events. A gate that was attached before is replaced."""
        calls: dict[str, dict[str, Any]] = {
            "init_command_line_parser": {"last": self._on_parser},
            "init": {"last": self._on_init},
            "test_start": {"first": self._on_test_start, "last": self._after_test_start},
            "spawning_complete": {"first": self._on_spawning_complete},
            "request": {"first": self._on_request},
            "user_error": {"first": self._on_user_error},
            "report_to_master": {"first": self._on_report_to_master},
            "test_stopping": {"first": self._on_test_stopping},
            "test_stop": {"last": self._on_test_stop},
            "quitting": {"first": self._on_quitting, "last": self._after_quitting},
            "quit": {"last": self._on_quit},
        }
        for name, called in calls.items():
            # After an error of the suite in these events, Locust exits or has already ended.
            error_handler = (
                {} if name in {"init_command_line_parser", "init", "quit"} else {"on_error": self._on_listener_error}
            )
            GateHook.take_over(getattr(events, name), name, **called, **error_handler)
        GateHook.take_over(measured, "measured", first=self._on_measure)
        LoadGate.attached = self
        follow_clients()
        show_precise_figures()

    def _tab_source(self) -> tuple[LiveState | None, Conclusion | None]:
        state = self._state
        running = state.active.live_state() if isinstance(state, Running | Judging) else None
        return running, self._judge.conclusion() if self._judge is not None else None

    @property
    def _process(self) -> Process | None:
        """Return this process. `None` before Locust has started."""
        return None if isinstance(self._state, Idle | Configured) else self._state.process

    @property
    def _judge(self) -> JudgingProcess | None:
        """Return this process if it determines verdicts. `None` on a worker."""
        return process if isinstance(process := self._process, JudgingProcess) else None

    def _active(self) -> ActiveRun | None:
        """Return the run in progress. `None` if there is none."""
        return self._state.active if isinstance(self._state, Running) else None

    # Before the run

    def _on_parser(self, parser: LocustArgumentParser) -> None:
        try:
            choice = configure(parser, self.suite)
        except SuiteError as error:
            refuse(str(error), ExitCode.USAGE)
        # The web UI builds a parser for each run. The profile remains the one with which Locust was started.
        if isinstance(self._state, Idle | Configured):
            self._state = Configured(choice)

    def _on_init(self, environment: Environment, runner: Runner, **_: Any) -> None:
        if not isinstance(self._state, Configured):
            raise TypeError("Locust was set up without its command line")
        # `loadgate run` shares its standard output with this process and reports lost output itself.
        use_safe_streams(reports_loss=LIVE_VARIABLE not in os.environ)
        declare_groups(environment.user_classes)  # includes classes that the suite did not pass to install
        self._state = Attached(self._new_process(self._state.choice, environment, runner))

    def _new_process(self, choice: Choice, environment: Environment, runner: Runner) -> Process:
        if isinstance(runner, WorkerRunner):
            return WorkerProcess(self.suite, choice, environment, runner, self._active, self._take_last_report)
        process = JudgingProcess(self.suite, choice, environment, runner, self._active)
        if environment.web_ui is not None:
            add_tab(environment.web_ui, self._tab_source)
            refuse_profiles(environment.web_ui, process.profile_problem)
        return process

    # The run

    def _on_test_start(self, **_: Any) -> None:
        if (process := self._process) is not None:
            self._state = Running(process, process.begin())

    def _after_test_start(self, **_: Any) -> None:
        if (active := self._active()) is not None and self._judge is not None:
            self._judge.begun(active)

    def _on_listener_error(self, event: str, listener: Callable[..., Any], error: BaseException) -> None:
        """Record that a listener failed or called `sys.exit`."""
        if (process := self._process) is not None:
            process.note_error(event, f"{event} listener {getattr(listener, '__qualname__', repr(listener))}", error)

    def _on_spawning_complete(self, **_: Any) -> None:
        if (active := self._active()) is not None:
            active.load_is_up()

    def _on_request(self, **event: Any) -> None:
        state = self._state
        if isinstance(state, Running):
            record_request(state.active.run, event, self.suite.measures)

    def _on_measure(self, measure: Measure) -> None:
        if (active := self._active()) is not None:
            record_measure(active.run, measure)

    def _on_user_error(self, exception: BaseException, tb: TracebackType | None, **_: Any) -> None:
        if (active := self._active()) is not None:
            active.run.record_exception(exception, tb)

    def _on_report_to_master(self, **_: Any) -> None:
        if isinstance(process := self._process, WorkerProcess):
            process.report()

    def _take_last_report(self) -> dict[str, Any] | None:
        """Conclude a worker's run and return its final report for the master."""
        state = self._state
        if not isinstance(state, Running):
            return None
        self._state = Concluded(state.process)
        return state.active.take_report(final=True)

    # The end

    def _on_test_stopping(self, **_: Any) -> None:
        state = self._state
        if not isinstance(state, Running) or state.active.run.is_stopped:
            return
        process = state.process
        process.stop_load(state.active.run)
        state.active.end_load(process.environment.stop_timeout, lambda: process.ctrl_c.was_repeated)

    def _on_test_stop(self, **_: Any) -> None:
        with self._concluding:
            state = self._state
            if not isinstance(state, Running):
                return
            process, active = state.process, state.active
            process.settle(active.run)
            if not isinstance(process, JudgingProcess):
                return
            self._state = Judging(process, active)
            try:
                process.judge(active)
            finally:
                self._state = Concluded(process)
        process.judged(active.run)

    def _on_quitting(self, environment: Environment, **_: Any) -> None:
        if self._is_quitting:
            # After a SIGTERM, Locust starts a second shutdown while the first one is running.
            gevent.sleep(SHUTDOWN_WAIT_S)
        self._is_quitting = True
        state = self._state
        if (process := self._process) is not None:
            process.ctrl_c.is_ending = True
        if isinstance(state, Running):
            environment.stop_timeout = min(environment.stop_timeout, INTERRUPT_WAIT_S)
            self._end(state, environment.stop_timeout)

    def _end(self, state: Running, stop_timeout_s: float) -> None:
        """End a run, or wait for its end if another greenlet is already ending it."""
        run, process = state.active.run, state.process
        process.end_now(run)
        if self._judge is None:
            return
        deadline = time.monotonic() + stop_timeout_s + GRACE_S
        while (
            self._state is state and run.is_stopped and time.monotonic() < deadline and not process.ctrl_c.was_repeated
        ):
            gevent.sleep(0.05)
        self._on_test_stop()

    def _after_quitting(self, **_: Any) -> None:
        with self._concluding:
            if self._judge is not None:
                self._judge.finish()

    def _on_quit(self, **_: Any) -> None:
        if self._judge is not None:
            self._judge.quit()
