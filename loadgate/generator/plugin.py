"""Listens to Locust's events, and so makes a Locust process a gate: alone, as master or as worker."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, NoReturn

import gevent
from gevent.lock import RLock
from locust import User
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerNode, WorkerRunner

from loadgate.credentials import without_credentials
from loadgate.errors import SuiteError
from loadgate.exit_codes import ExitCode
from loadgate.generator.closing import Closing, who_ends
from loadgate.generator.conductor import Conductor
from loadgate.generator.descriptors import Reserve
from loadgate.generator.dispatch import GateDispatcher
from loadgate.generator.groups import declare_groups
from loadgate.generator.health import HealthSampler
from loadgate.generator.hooks import WatchedHook
from loadgate.generator.in_flight import follow_clients, settle
from loadgate.generator.interrupts import CtrlC, leave_to_the_other_end
from loadgate.generator.live_board import LiveBoard
from loadgate.generator.locust_figures import show_fine_figures
from loadgate.generator.locust_files import ProjectCopies, write_missing_html
from loadgate.generator.locust_options import option_problem
from loadgate.generator.measures import measured
from loadgate.generator.pacer import Pacer, activate
from loadgate.generator.plan import classes_with_users, hosts_under_test, make_plan, needs_host, process_name
from loadgate.generator.request_events import record_measure, record_request
from loadgate.generator.suite import Choice, Suite, configure, host_slips, preflight_problems, refuse
from loadgate.generator.web_tab import add_tab, refuse_profiles
from loadgate.generator.workers import GRACE_S, REPORT, MasterSide, WorkerSide
from loadgate.live.channel import LIVE_VARIABLE
from loadgate.live.state import LiveState
from loadgate.parent_process import follow_parent, tell_parent_of_load
from loadgate.paths import PlaceError, check_reports
from loadgate.project import ProjectError, load_project
from loadgate.recorder import OUTSIDE
from loadgate.report.conclusion import Conclusion
from loadgate.run.judgement import EndedBy
from loadgate.run.measure import Measure
from loadgate.run.state import Run
from loadgate.stdio import use_views

INTERRUPT_WAIT_S = 2.0
"""How long requests in flight are waited for after Ctrl-C or SIGTERM; a second Ctrl-C ends the wait."""

_UNTIMED = "No run time limit set"
"""How Locust's line begins that would be false where the gate keeps the time."""

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
        self._closing: Closing | None = None
        self._run_time_s: float | None = None
        self._reserve = Reserve()
        self._quitting = False
        self._concluding = RLock()

    def attach(self, events: Any) -> None:
        """Listen to Locust's events, in place of a gate that was attached before."""
        calls: dict[str, dict[str, Any]] = {
            "init_command_line_parser": {"last": self._on_parser},
            "init": {"last": self._on_init},
            "test_start": {"first": self._on_test_start, "last": self._after_test_start},
            "spawning_complete": {"first": self._on_spawning_complete},
            "request": {"first": self._on_request},
            "user_error": {"first": self._on_user_error},
            "report_to_master": {"first": self._on_report_to_master},
            "worker_report": {"first": self._on_worker_report},
            "test_stopping": {"first": self._on_test_stopping},
            "test_stop": {"last": self._on_test_stop},
            "quitting": {"first": self._on_quitting, "last": self._after_quitting},
            "quit": {"last": self._on_quit},
        }
        for name, called in calls.items():
            # Locust itself ends where a suite fails or exits in these, or has ended.
            heard = (
                {} if name in {"init_command_line_parser", "init", "quit"} else {"on_error": self._on_listener_error}
            )
            WatchedHook.take_over(getattr(events, name), name, **called, **heard)
        WatchedHook.take_over(measured, "measured", first=self._on_measure)
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
        declare_groups(environment.user_classes)  # those that the suite did not name as well
        # What is in flight counts as unanswered then.
        self._ctrl_c = CtrlC(hurry=lambda: runner.user_greenlets.kill(block=False))
        if isinstance(runner, WorkerRunner):
            self._worker = WorkerSide(runner, self._take_report, lambda: (self._run, self._pacer))
            return
        for line in self._choice.overrides:
            print(f"loadgate: {line}", file=sys.stderr)
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
        self._closing = Closing(environment, self._project)
        if self._options.headless:
            self._check_headless()

    def _check_headless(self) -> None:
        """Refuse what the web UI lets its user put right; the gate ends an open model's run itself."""
        user_classes = classes_with_users(self._choice, self._environment)
        if not self._environment.host and needs_host(user_classes):
            refuse("no host to test: give --host or set TARGET_HOST", ExitCode.USAGE)
        if slips := host_slips(self.suite, hosts_under_test(self._environment, user_classes), user_classes):
            refuse(without_credentials("\n".join(slips)), ExitCode.USAGE)
        if problem := option_problem(self._options):
            refuse(problem, ExitCode.USAGE)
        if problems := self._preflight():
            refuse("\n".join(problems), ExitCode.ERROR)
        try:
            check_reports(self._project)
        except PlaceError as error:
            refuse(str(error), ExitCode.ERROR)
        # Locust's own timer would count what listeners do before there is any load.
        self._run_time_s, self._options.run_time = self._options.run_time, None
        if self._run_time_s is not None:
            logging.getLogger("locust.main").addFilter(lambda record: not str(record.msg).startswith(_UNTIMED))

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
        return self._closing.conclusion if self._closing is not None else None

    def _preflight(self) -> list[str]:
        user_classes = classes_with_users(self._choice, self._environment)
        hosts = hosts_under_test(self._environment, user_classes)
        return preflight_problems(self.suite, self._project, hosts, user_classes)

    @property
    def _options(self) -> Any:
        return self._environment.parsed_options

    def _new_dispatcher(self, worker_nodes: list[WorkerNode], user_classes: list[type[User]]) -> GateDispatcher:
        self._dispatcher = GateDispatcher(worker_nodes, user_classes, self._on_change)
        return self._dispatcher

    # The run

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        if self._worker is None and not self._options.headless and (problems := self._preflight()):
            environment.process_exit_code = ExitCode.ERROR
            self._refuse_start(problems)
        self._reserve.hold()
        is_timed = self._worker is None and self._options.headless
        if is_timed:
            # Locust has read it by now, and names files by it.
            self._options.run_time = self._run_time_s
        if self._closing is not None:
            self._closing.begin()
        else:
            environment.process_exit_code = 0  # a worker leaves the verdict to its master
        self._run = Run(make_plan(self._choice, environment, timed_by_gate=is_timed))
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

    def _after_test_start(self, **_: Any) -> None:
        """End a run at once that a listener of the suite has ended before there was any load."""
        run, closing = self._run, self._closing
        if run is None or closing is None:
            return
        # Locust's master fires no event then, and ends the greenlets that keep it going.
        if not closing.without_load and (run.stopping_s is not None or not len(self._runner.greenlet)):
            closing.without_load = "a test_start listener of the suite stopped the run"
        if closing.without_load:
            gevent.spawn(self._end_load)
            # Ends the greenlet in which Locust was about to spawn users.
            raise gevent.GreenletExit

    def _on_listener_error(self, event: str, listener: Callable[..., Any], error: BaseException) -> None:
        """Remember that a listener failed, or wanted to end the process."""
        closing, where = self._closing, f"{event} listener {getattr(listener, '__qualname__', repr(listener))}"
        if isinstance(error, SystemExit) and closing is not None and event in {"test_start", "test_stop", "quitting"}:
            closing.note_exit(error)
            if event == "test_start":
                closing.without_load = f"the {where} called sys.exit({error.code!r})"
        elif self._run is not None:
            self._run.record_exception(error, error.__traceback__, f"{where}: ")
        elif closing is not None:
            closing.note_exception(error, f"{where}: ")

    def _refuse_start(self, problems: list[str]) -> NoReturn:
        """Keep the web UI's run from starting, and show why there."""
        for problem in problems:
            logger.error("no load was made: %s", problem)
            self._runner.log_exception("loadgate", f"no load was made: {problem}", problem)
        # Ends the greenlet in which Locust was about to spawn users.
        raise gevent.GreenletExit

    def _on_change(self) -> None:
        run = self._run
        if run is None or self._board is None or run.stopping_s is not None:
            return
        if self._conductor is None:
            # What listeners of the suite did before is no part of the run.
            run.started_s = time.time()
            self._conductor = Conductor(
                run, self._runner, self._board, workers=self._workers, pacer=self._pacer, end=self._end_load
            )
        self._conductor.load_changes()

    def _on_spawning_complete(self, **_: Any) -> None:
        if self._conductor is not None:
            self._conductor.load_is_up()

    def _on_request(self, **event: Any) -> None:
        if self._run is not None:
            record_request(self._run, event, self.suite.measures)

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
        is_told = self._ctrl_c.is_ending or (self._worker is not None and self._worker.is_told())
        run.end_by(who_ends(run, self._runner, is_interrupted=is_told))
        if gevent.getcurrent() in self._runner.user_greenlets:
            # This user is about to be killed, and the end of the run with it.
            gevent.spawn(self._end_load)
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
            if self._closing is None:
                return
            self._run = None
            if self._conductor is not None:
                self._conductor.stop()
                self._conductor = None
            self._note_health(run)
            self._end_sampling()
            self._reserve.release()
            if self._closing.without_load:
                logger.error("no load was made: %s", self._closing.without_load)
                return
            self._closing.conclude(run)
            self._board = None
        if not self._options.headless:
            self._closing.show()
        elif run.ended_by is EndedBy.SUITE:
            # It may have stopped the users alone.
            gevent.spawn(self._end_load)

    def _end_load(self) -> None:
        if self._options.headless or self._worker is not None:
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

    def _after_quitting(self, **_: Any) -> None:
        with self._concluding:
            if self._closing is not None and self._options.headless:
                self._closing.finish()

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
        if self._closing is not None and self._closing.conclusion is not None and self._options.headless:
            self._closing.show()
            write_missing_html(self._environment)
