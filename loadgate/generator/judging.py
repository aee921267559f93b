"""The process that judges its runs: a master, or a Locust process on its own."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import gevent
from locust.env import Environment
from locust.runners import MasterRunner, Runner

from loadgate.credentials import without_credentials
from loadgate.exit_codes import ExitCode
from loadgate.generator.active_run import ActiveRun, JudgedRun
from loadgate.generator.closing import Closing
from loadgate.generator.conductor import Conductor
from loadgate.generator.generators import ThisProcess
from loadgate.generator.live_board import LiveBoard
from loadgate.generator.locust_files import ProjectCopies, write_missing_html
from loadgate.generator.locust_options import option_problem
from loadgate.generator.plan import classes_with_users, hosts_under_test, needs_host
from loadgate.generator.process import Process
from loadgate.generator.suite import Choice, Suite, host_slips, preflight_problems, refuse
from loadgate.generator.workers import MasterSide
from loadgate.live.channel import LIVE_VARIABLE
from loadgate.parent_process import follow_parent, tell_parent_of_load
from loadgate.paths import PlaceError, check_reports
from loadgate.project import Project, ProjectError, load_project
from loadgate.report.conclusion import Conclusion
from loadgate.run.judgement import EndedBy
from loadgate.run.state import Run

_UNTIMED = "No run time limit set"
"""How Locust's line begins that would be false where the gate keeps the time."""

logger = logging.getLogger(__name__)


class JudgingProcess(Process):
    """Checks that load can be made, conducts each run and judges it."""

    def __init__(
        self,
        suite: Suite,
        choice: Choice,
        environment: Environment,
        *,
        runner: Runner,
        current: Callable[[], ActiveRun | None],
    ) -> None:
        super().__init__(suite, choice, environment, runner=runner, current=current)
        for line in choice.overrides:
            print(f"loadgate: {line}", file=sys.stderr)
        follow_parent()
        if LIVE_VARIABLE in os.environ:
            logging.getLogger("locust.stats_logger").disabled = True
        self._label = environment.profile
        self._master = MasterSide(runner, self._current_run) if isinstance(runner, MasterRunner) else None
        self._project = _project()
        # Locust closes its CSV files after its last event.
        atexit.register(ProjectCopies(self.options, self._project).make)
        self._closing = Closing(environment, self._project)
        self._is_headless = bool(self.options.headless)
        if self._is_headless:
            self._check()
            self._keep_time()

    def _check(self) -> None:
        """Refuse what the web UI lets its user put right."""
        user_classes = classes_with_users(self.choice, self.environment)
        if not self.environment.host and needs_host(user_classes):
            refuse("no host to test: give --host or set TARGET_HOST", ExitCode.USAGE)
        if slips := host_slips(self.suite, hosts_under_test(self.environment, user_classes), user_classes):
            refuse(without_credentials("\n".join(slips)), ExitCode.USAGE)
        if problem := option_problem(self.options):
            refuse(problem, ExitCode.USAGE)
        if problems := self._preflight():
            refuse("\n".join(problems), ExitCode.ERROR)
        try:
            check_reports(self._project)
        except PlaceError as error:
            refuse(str(error), ExitCode.ERROR)

    def _keep_time(self) -> None:
        """End the run by the gate: Locust's own timer would count what listeners do before there is any load."""
        self._run_time_s, self.options.run_time = self.options.run_time, None
        if self._run_time_s is not None:
            logging.getLogger("locust.main").addFilter(lambda record: not str(record.msg).startswith(_UNTIMED))

    def profile_problem(self, typed: str) -> str | None:
        """Say why the web UI's field Profile cannot have this value, `None` where it can.

        The profile is chosen when Locust starts: it decides which user classes there are.
        """
        running = self.choice.profile.name
        if typed in {"", running, self._label}:
            return None
        known = (
            f"start Locust with LOAD_PROFILE={typed}"
            if typed in self.suite.profiles
            else (f"there is no profile {typed!r}; known profiles: {', '.join(self.suite.profiles)}")
        )
        return f"Profile: this Locust runs the load profile {running!r}, which cannot be changed here; {known}"

    def begin(self) -> ActiveRun:
        """Begin a run; see `Process`."""
        if self._is_headless:
            # Locust has read it by now, and names files by it.
            self.options.run_time = self._run_time_s
        elif problems := self._preflight():
            self._refuse_start(problems)
        self.reserve.hold()
        self._closing.begin()
        # A master's requests are made elsewhere.
        active = self._begin(makes_load=self._master is None, timed_by_gate=self._is_headless)
        tell_parent_of_load()
        run, sampler = active.run, active.sampler
        board = LiveBoard(run, self.runner, sampler, self.suite.generator_limits.cpu_share)
        generators = self._master or ThisProcess(active.pacer)
        conductor = Conductor(run, self.runner, board, generators, self.end_load)
        return JudgedRun(run, sampler, active.pacer, board, conductor, generators)

    def begun(self, active: ActiveRun) -> None:
        """End a run at once that a listener of the suite has ended before there was any load."""
        closing = self._closing
        # Locust's master fires no event then, and ends the greenlets that keep it going.
        if not closing.without_load and (active.run.stopping_s is not None or not len(self.runner.greenlet)):
            closing.without_load = "a test_start listener of the suite stopped the run"
        if closing.without_load:
            gevent.spawn(self.end_load)
            # Ends the greenlet in which Locust was about to spawn users.
            raise gevent.GreenletExit

    def end_load(self) -> None:
        """End the process after its only run; in the web UI, the run alone."""
        if self._is_headless:
            self.runner.quit()
        else:
            self.runner.stop()

    def end_now(self, run: Run) -> None:
        """End the load, unless another greenlet has begun to."""
        if not isinstance(self.runner, MasterRunner):
            self.runner.stop()
        elif run.stopping_s is None:
            self.runner.stop(send_stop_to_client=False)

    def judge(self, active: ActiveRun) -> None:
        """Judge a run that is over, and write its files."""
        active.close()
        self.reserve.release()
        if self._closing.without_load:
            logger.error("no load was generated: %s", self._closing.without_load)
        else:
            self._closing.conclude(active.run)

    def judged(self, run: Run) -> None:
        """Show the verdict in the web UI's terminal; end a process whose users the suite alone has stopped."""
        if self._closing.without_load:
            return
        if not self._is_headless:
            self._closing.show()
        elif run.ended_by is EndedBy.SUITE:
            gevent.spawn(self.end_load)

    def note_error(self, event: str, where: str, error: BaseException) -> None:
        """Note what a listener raised: in the run that goes on, else in the verdict of the last one."""
        if isinstance(error, SystemExit) and event in {"test_start", "test_stop", "quitting"}:
            self._closing.note_exit(error)
            if event == "test_start":
                self._closing.without_load = f"the {where} called sys.exit({error.code!r})"
        elif self.current() is not None:
            super().note_error(event, where, error)
        else:
            self._closing.note_exception(error, f"{where}: ")

    def take_worker_report(self, client_id: str, data: dict[str, Any]) -> None:
        """Add a worker's part to the run."""
        if self._master is not None:
            self._master.on_report(client_id, data)

    def conclusion(self) -> Conclusion | None:
        """Return what came of the last run."""
        return self._closing.conclusion

    def finish(self) -> None:
        """Set the exit code for good."""
        if self._is_headless:
            self._closing.finish()

    def quit(self) -> None:
        """Show the verdict, below all that Locust prints."""
        if self._closing.conclusion is not None and self._is_headless:
            self._closing.show()
            write_missing_html(self.environment)

    def _preflight(self) -> list[str]:
        user_classes = classes_with_users(self.choice, self.environment)
        hosts = hosts_under_test(self.environment, user_classes)
        return preflight_problems(self.suite, self._project, hosts, user_classes)

    def _refuse_start(self, problems: list[str]) -> NoReturn:
        """Keep the web UI's run from starting, and show why there."""
        self._closing.refuse()
        for problem in problems:
            logger.error("no load was generated: %s", problem)
            self.runner.log_exception("loadgate", f"no load was generated: {problem}", problem)
        # Ends the greenlet in which Locust was about to spawn users.
        raise gevent.GreenletExit

    def _current_run(self) -> Run | None:
        active = self.current()
        return active.run if active is not None else None


def _project() -> Project:
    try:
        return load_project()
    except ProjectError as error:
        refuse(str(error), ExitCode.USAGE)
