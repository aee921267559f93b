"""Listens to Locust's events, and so makes a Locust process a gate: alone, as master or as worker."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from types import TracebackType
from typing import Any, ClassVar, NoReturn

import gevent
from gevent.lock import RLock
from locust import User
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerNode, WorkerRunner

from loadgate.checks import host_problem
from loadgate.conclusion import Conclusion, conclude
from loadgate.conductor import Conductor
from loadgate.credentials import without_credentials
from loadgate.descriptors import Reserve
from loadgate.dispatch import GateDispatcher
from loadgate.exit_codes import ExitCode
from loadgate.health import HealthSampler
from loadgate.in_flight import follow_clients, settle
from loadgate.interrupts import CtrlC, leave_to_the_other_end
from loadgate.judgement import Ending
from loadgate.live.board import LiveBoard
from loadgate.live.channel import LIVE_VARIABLE
from loadgate.live.state import LiveState
from loadgate.live.web_tab import add_tab, refuse_profiles
from loadgate.locust_figures import show_fine_figures
from loadgate.locust_files import ProjectCopies, write_missing_html
from loadgate.measures import Measure, measured
from loadgate.observed import record_measure, record_request
from loadgate.pacer import Pacer, activate
from loadgate.parent import follow_parent, tell_parent_of_load
from loadgate.places import PlaceError, check_reports
from loadgate.plan import classes_with_users, host_under_test, make_plan, process_name
from loadgate.project import ProjectError, load_project
from loadgate.recorder import OUTSIDE
from loadgate.run_state import Run
from loadgate.streams import use_views
from loadgate.suite import Choice, Suite, SuiteError, configure, preflight_problems, refuse
from loadgate.workers import GRACE_S, REPORT, MasterSide, WorkerSide

INTERRUPT_WAIT_S = 2.0
"""How long requests in flight are waited for after Ctrl-C or SIGTERM; a second Ctrl-C ends the wait."""

MAX_USERS = 10_000_000
"""More simulated users than any generator can hold; Locust fails in the middle of a run with numbers far above it."""

logger = logging.getLogger(__name__)


class LoadGate:
    """One gate a process. Locust's events drive it; `_run` is the run that goes on, if any."""

    attached: ClassVar[LoadGate | None] = None

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._run: Run | None = None
        self._sampler: HealthSampler | None = None
        self._board: LiveBoard | None = None
        self._conductor: Conductor | None = None
        self._pacer: Pacer | None = None
        self._dispatcher: GateDispatcher | None = None
        self._workers: MasterSide | None = None
        self._worker: WorkerSide | None = None
        self._conclusion: Conclusion | None = None
        self._run_time_s: float | None = None
        self._reserve = Reserve()
        self._quitting = False
        self._concluding = RLock()

    def attach(self, events: Any) -> None:
        """Listen to Locust's events, in place of a gate that was attached before."""
        listeners = {
            "init_command_line_parser": self._on_parser,
            "init": self._on_init,
            "test_start": self._on_test_start,
            "spawning_complete": self._on_spawning_complete,
            "request": self._on_request,
            "user_error": self._on_user_error,
            "report_to_master": self._on_report_to_master,
            "worker_report": self._on_worker_report,
            "test_stopping": self._on_test_stopping,
            "test_stop": self._on_test_stop,
            "quit": self._on_quit,
        }
        previous = LoadGate.attached
        hooks = [(getattr(events, name), listener) for name, listener in listeners.items()]
        for hook, listener in [*hooks, (measured, self._on_measure)]:
            if previous is not None:
                hook.remove_listener(getattr(previous, listener.__name__))
            hook.add_listener(listener)
        LoadGate.attached = self
        follow_clients()
        show_fine_figures()

    # Before the run

    def _on_parser(self, parser: LocustArgumentParser) -> None:
        try:
            self._choice: Choice = configure(parser, self.suite)
        except SuiteError as error:
            refuse(str(error), ExitCode.USAGE)

    def _on_init(self, environment: Environment, runner: Runner, **_: Any) -> None:
        # The `loadgate run` that shares its output with this process says it itself.
        use_views(tell=LIVE_VARIABLE not in os.environ)
        self._environment = environment
        self._runner = runner
        environment.dispatcher_class = self._new_dispatcher  # type: ignore[assignment]  # Locust only calls it
        # Locust's runners hang up on this event, and it is fired in reverse order: added now, ours comes before.
        environment.events.quitting.add_listener(self._on_quitting)  # type: ignore[no-untyped-call]
        # What is in flight counts as unanswered then.
        self._ctrl_c = CtrlC(hurry=lambda: runner.user_greenlets.kill(block=False))
        if isinstance(runner, WorkerRunner):
            self._worker = WorkerSide(runner, self._take_report, lambda: (self._run, self._pacer))
            return
        follow_parent()
        self._label = environment.profile
        if environment.web_ui is not None:
            add_tab(environment.web_ui, self)
            refuse_profiles(environment.web_ui, self._profile_problem)
        if isinstance(runner, MasterRunner):
            self._workers = MasterSide(runner, lambda: self._run)
        if LIVE_VARIABLE in os.environ:
            logging.getLogger("locust.stats_logger").disabled = True
        try:
            self._project = load_project()
        except ProjectError as error:
            refuse(str(error), ExitCode.USAGE)
        # Locust closes its CSV files after its last event.
        atexit.register(ProjectCopies(self._options, self._project).make)
        if self._options.headless:
            self._check_headless()

    def _check_headless(self) -> None:
        """Refuse what the web UI lets its user put right; the gate ends an open model's run itself."""
        if not host_under_test(self._environment):
            refuse("no host to test: give --host or set TARGET_HOST", ExitCode.USAGE)
        if problem := host_problem(host_under_test(self._environment)):
            refuse(without_credentials(problem), ExitCode.USAGE)
        if not 0 <= (self._options.num_users or 0) <= MAX_USERS:
            refuse(f"-u, --users: must be from 0 to {MAX_USERS:,}", ExitCode.USAGE)
        if self._options.run_time is not None and self._options.run_time <= 0:
            # Locust takes 0 for a run without end.
            refuse("-t, --run-time: a run time must be above 0, such as 30s", ExitCode.USAGE)
        for warning in self._choice.warnings:
            print(f"loadgate: {warning}", file=sys.stderr, flush=True)
        if problems := self._preflight():
            refuse("\n".join(problems), ExitCode.ERROR)
        try:
            check_reports(self._project)
        except PlaceError as error:
            refuse(str(error), ExitCode.ERROR)
        if self._options.open_model:
            self._run_time_s, self._options.run_time = self._options.run_time, None

    def _profile_problem(self, typed: str) -> str | None:
        """Say why the web UI's field Profile cannot have this value, `None` where it can.

        The profile is chosen when Locust starts: it decides which user classes there are.
        """
        running = self._choice.profile.name
        if typed in {"", running, self._label}:
            return None
        known = (
            f"start Locust with LOAD_PROFILE={typed}"
            if typed in self.suite.profiles
            else (f"there is no profile {typed!r}; known profiles: {', '.join(self.suite.profiles)}")
        )
        return f"Profile: this Locust runs the load profile {running!r}, which cannot be changed here; {known}"

    def live_state(self) -> LiveState | None:
        """Return how the run stands that goes on or is being judged, for the web UI."""
        return self._board.state() if self._board is not None else None

    def last_conclusion(self) -> Conclusion | None:
        """Return what came of the last run, for the web UI."""
        return self._conclusion

    def _preflight(self) -> list[str]:
        user_classes = classes_with_users(self._choice, self._environment)
        return preflight_problems(self.suite, self._project, host_under_test(self._environment), user_classes)

    @property
    def _options(self) -> Any:
        return self._environment.parsed_options

    def _new_dispatcher(self, worker_nodes: list[WorkerNode], user_classes: list[type[User]]) -> GateDispatcher:
        self._dispatcher = GateDispatcher(worker_nodes, user_classes, self._on_change)
        return self._dispatcher

    # The run

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        if self._worker is None and not self._options.headless and (problems := self._preflight()):
            self._refuse_start(environment, problems)
        # Until there is a verdict, which a worker leaves to the master.
        environment.process_exit_code = 0 if self._worker is not None else ExitCode.ERROR
        self._reserve.hold()
        self._run = Run(make_plan(self._choice, environment, self._run_time_s))
        # A master's requests are made elsewhere.
        record_lag = None if self._workers is not None else self._run.record_lag
        self._sampler = HealthSampler(process_name(self._runner), self.suite.generator_limits, record_lag)
        self._sampler.start()
        self._pacer = Pacer(self._run.recorder.count, self._run.record_lag) if self._options.open_model else None
        activate(self._pacer)
        if self._pacer is not None:
            self._run.enter_stage(OUTSIDE)
        if self._worker is None:
            tell_parent_of_load()
            self._board = LiveBoard(self._run, self._runner, self._sampler, self.suite.generator_limits.cpu_share)
            self._conductor = Conductor(
                self._run, self._runner, self._board, workers=self._workers, pacer=self._pacer, end=self._end_load
            )

    def _refuse_start(self, environment: Environment, problems: list[str]) -> NoReturn:
        """Keep the web UI's run from starting, and show why there."""
        environment.process_exit_code = ExitCode.ERROR
        for problem in problems:
            logger.error("no load was made: %s", problem)
            self._runner.log_exception("loadgate", f"no load was made: {problem}", problem)
        # Ends the greenlet in which Locust was about to spawn users.
        raise gevent.GreenletExit

    def _on_change(self) -> None:
        if self._conductor is not None:
            self._conductor.load_changes()

    def _on_spawning_complete(self, **_: Any) -> None:
        if self._conductor is not None:
            self._conductor.load_is_up()

    def _on_request(self, **event: Any) -> None:
        if self._run is not None:
            record_request(self._run, event)

    def _on_measure(self, measure: Measure) -> None:
        if self._run is not None:
            record_measure(self._run, measure)

    def _on_user_error(self, exception: BaseException, tb: TracebackType | None, **_: Any) -> None:
        if self._run is not None:
            self._run.record_exception(exception, tb)

    def _on_report_to_master(self, data: dict[str, Any], **_: Any) -> None:
        report = self._take_report(False)
        if report is not None:
            data[REPORT] = report

    def _take_report(self, final: bool) -> dict[str, Any] | None:
        run = self._run
        if run is None:
            return None
        self._note_health(run)
        if final:
            self._end_sampling()
            self._run = None
        return run.take_report(final=final)

    def _on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        if self._workers is not None:
            self._workers.on_report(client_id, data)

    # The end

    def _on_test_stopping(self, **_: Any) -> None:
        run = self._run
        if run is None or run.stopping_s is not None:
            return
        if run.ending is Ending.COMPLETED and (self._quitting or run.is_early()):
            run.ending = Ending.INTERRUPTED
        run.stopping_s = time.time()
        if self._pacer is not None:
            self._pacer.stop()
        if self._dispatcher is not None:
            self._dispatcher.halt()
        if self._workers is not None:
            self._workers.finish(run, self._environment.stop_timeout, lambda: self._ctrl_c.came_again)

    def _on_test_stop(self, **_: Any) -> None:
        with self._concluding:
            run = self._run
            if run is None:
                return
            since_s = run.stopping_s or 0.0
            settle(lambda: self._ctrl_c.came_again or time.time() >= since_s + self._environment.stop_timeout)
            if self._worker is not None:
                return
            self._run = None
            if self._conductor is not None:
                self._conductor.stop()
                self._conductor = None
            self._note_health(run)
            self._end_sampling()
            self._reserve.release()
            self._conclusion = conclude(run, self._project)
            self._environment.process_exit_code = self._conclusion.code
            self._board = None
        if not self._options.headless:
            print(self._conclusion.text, flush=True)

    def _end_load(self) -> None:
        if self._options.headless:
            self._runner.quit()
        else:
            self._runner.stop()

    def _note_health(self, run: Run) -> None:
        if self._sampler is not None:
            run.health[self._sampler.process] = self._sampler.health()

    def _end_sampling(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()
            self._sampler = None

    def _on_quitting(self, environment: Environment, **_: Any) -> None:
        if self._quitting:
            leave_to_the_other_end()
        self._quitting = True
        self._ctrl_c.is_ending = True
        run = self._run
        if run is not None:
            environment.stop_timeout = min(environment.stop_timeout, INTERRUPT_WAIT_S)
            self._end(run, environment.stop_timeout)
        with self._concluding:
            if self._worker is None and self._options.headless and self._conclusion is None:
                environment.process_exit_code = ExitCode.ERROR

    def _end(self, run: Run, stop_timeout_s: float) -> None:
        """End a run now, or see it to its end where another greenlet has begun to end it."""
        if self._worker is not None:
            self._worker.finish(stop_timeout_s)
            return
        if not isinstance(self._runner, MasterRunner):
            self._runner.stop()
        elif run.stopping_s is None:
            self._runner.stop(send_stop_to_client=False)
        deadline = time.monotonic() + stop_timeout_s + GRACE_S
        while (
            self._run is run
            and run.stopping_s is not None
            and time.monotonic() < deadline
            and not self._ctrl_c.came_again
        ):
            gevent.sleep(0.05)
        self._on_test_stop()

    def _on_quit(self, **_: Any) -> None:
        if self._conclusion is not None and self._options.headless:
            print(self._conclusion.text, flush=True)
            write_missing_html(self._environment)
