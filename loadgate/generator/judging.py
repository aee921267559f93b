"""The process that determines the verdict of its runs: a master or a single Locust process."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from typing import NoReturn

import gevent
from locust.runners import MasterRunner

from loadgate.credentials import without_credentials
from loadgate.exit_codes import ExitCode
from loadgate.generator.active_run import ActiveRun, JudgedRun
from loadgate.generator.admitted_workers import AdmittedWorkers
from loadgate.generator.awaited_workers import say_awaited
from loadgate.generator.closing import Closing
from loadgate.generator.generators import ThisProcess
from loadgate.generator.live_state_cache import LiveStateCache
from loadgate.generator.locust_files import ProjectCopies, write_missing_html
from loadgate.generator.measured_target import measured_target
from loadgate.generator.plan import classes_with_users, hosts_under_test, needs_host, option_problem
from loadgate.generator.process import Process
from loadgate.generator.resource_sampling import ResourceSampling
from loadgate.generator.run_controller import RunController
from loadgate.generator.suite import host_problems, preflight_problems, refuse
from loadgate.generator.workers import MasterSide
from loadgate.live.channel import LIVE_VARIABLE
from loadgate.parent_process import follow_parent, tell_parent_of_load
from loadgate.paths import ReportFolderError, check_reports
from loadgate.project import Project, ProjectError, load_project
from loadgate.report.conclusion import Conclusion
from loadgate.run.judgement import EndedBy
from loadgate.run.state import Run

_UNTIMED = "No run time limit set"
"""Start of a log message of Locust that is wrong if the gate ends the run."""

_FAST_SPAWN = "Your selected spawn rate is very high"
"""Start of a log message of Locust that is wrong if the gate or the profile has chosen the spawn rate."""

logger = logging.getLogger(__name__)


class JudgingProcess(Process):
    """Checks the preconditions of each run, controls it and determines its verdict."""

    def __post_init__(self) -> None:
        """Prepare the process. In headless mode, check the preconditions of the run, and exit if one fails."""
        super().__post_init__()
        for line in self.choice.overrides:
            print(f"loadgate: {line}", file=sys.stderr)
        follow_parent()
        if LIVE_VARIABLE in os.environ:
            logging.getLogger("locust.stats_logger").disabled = True
        self._label = self.environment.profile
        self._workers: AdmittedWorkers | None = None
        self._master: MasterSide | None = None
        if isinstance(self.runner, MasterRunner):
            self._workers = AdmittedWorkers(self, self.runner)
            self._master = MasterSide(self.runner, self._current_run, self.dispatchers, self._workers.pid_of)
        self._project = _project()
        # Locust closes its CSV files after its last event.
        atexit.register(ProjectCopies(self.options, self._project).make)
        self._closing = Closing(self.environment, self._project)
        self._is_headless = bool(self.options.headless)
        if self._is_headless:
            self._check()
            self._keep_time()
            if isinstance(self.runner, MasterRunner):
                say_awaited(self.runner, self.options)
            if "spawn_rate" not in self.choice.given:
                runners = logging.getLogger("locust.runners")
                runners.addFilter(lambda record: not str(record.msg).startswith(_FAST_SPAWN))

    def _check(self) -> None:
        """Exit with an error if a precondition fails. In the web UI, the user can correct the settings instead."""
        user_classes = classes_with_users(self.choice, self.environment)
        if not self.environment.host and needs_host(user_classes):
            refuse("no host to test: use --host or set TARGET_HOST", ExitCode.USAGE)
        if slips := host_problems(self.suite, hosts_under_test(self.environment, user_classes), user_classes):
            refuse(without_credentials("\n".join(slips)), ExitCode.USAGE)
        if problem := option_problem(self.options):
            refuse(problem, ExitCode.USAGE)
        if problems := self._preflight():
            refuse("\n".join(problems), ExitCode.ERROR)
        try:
            check_reports(self._project)
        except ReportFolderError as error:
            refuse(str(error), ExitCode.ERROR)

    def _keep_time(self) -> None:
        """Let the gate end the run, because Locust's timer includes the time that listeners take before the load."""
        self._run_time_s, self.options.run_time = self.options.run_time, None
        if self._run_time_s is not None:
            logging.getLogger("locust.main").addFilter(lambda record: not str(record.msg).startswith(_UNTIMED))

    def profile_problem(self, typed: str) -> str | None:
        """Return why the field Profile of the web UI cannot have this value. `None` if it can.

        The profile is chosen when Locust starts, because it decides which user classes exist.
        """
        running = self.choice.profile.name
        if typed in {"", running, self._label}:
            return None
        known = (
            f"start Locust with LOAD_PROFILE={typed}"
            if typed in self.suite.profiles
            else (f"there is no profile {typed!r}; known profiles: {', '.join(self.suite.profiles)}")
        )
        return f"Profile: this Locust process runs the load profile {running!r} and cannot change it; {known}"

    def begin(self) -> ActiveRun:
        """Start a run."""
        if self._is_headless:
            # Locust's timer no longer reads this option, but Locust uses it in the names of its files.
            self.options.run_time = self._run_time_s
        elif problems := self._preflight():
            self._refuse_start(problems)
        if self._workers is not None:
            self._check_workers(self._workers)
        self.reserve.hold()
        self._closing.begin()
        resources = self._sample_resources()
        # A master sends no requests.
        active = self._begin(generates_load=self._master is None, timed_by_gate=self._is_headless)
        tell_parent_of_load()
        run, sampler = active.run, active.sampler
        if self._master is not None:
            self._master.begin(run, self.options)
        run.target = measured_target(self._project, resources.record)
        live_states = LiveStateCache(run, self.runner, sampler, self.suite.generator_limits.cpu_share)
        generators = self._master or ThisProcess(active.pacer, self.runner)
        controller = RunController(run, self.runner, live_states, generators, self.end_load)
        return JudgedRun(run, sampler, active.pacer, live_states, controller, generators, resources)

    def _sample_resources(self) -> ResourceSampling:
        """Start the sampler of the target, and measure the memory without garbage before the load."""
        hosts = hosts_under_test(self.environment, classes_with_users(self.choice, self.environment))
        resources = ResourceSampling(self._project, hosts)
        resources.collect()
        return resources

    def begun(self, active: ActiveRun) -> None:
        """End a run immediately if a listener of the suite has stopped it before the load started."""
        closing = self._closing
        # If the run was stopped, Locust's master fires no event, but it ends its own greenlets.
        if not closing.without_load and (active.run.is_stopped or not len(self.runner.greenlet)):
            closing.without_load = "a test_start listener of the suite stopped the run"
        if closing.without_load:
            gevent.spawn(self.end_load)
            # End the greenlet in which Locust would spawn the users.
            raise gevent.GreenletExit

    def end_load(self) -> None:
        """End the process. In the web UI, end only the run."""
        if self._is_headless:
            self.runner.quit()
        else:
            self.runner.stop()

    def end_now(self, run: Run) -> None:
        """End the load, unless another greenlet is already ending it."""
        if not isinstance(self.runner, MasterRunner):
            self.runner.stop()
        elif not run.is_stopped:
            self.runner.stop(send_stop_to_client=False)

    def judge(self, active: ActiveRun) -> None:
        """Determine the verdict of a finished run and write its files."""
        active.close()
        if self._workers is not None:
            self._workers.end_run()
        self.reserve.release()
        if self._closing.without_load:
            logger.error("no load was generated: %s", self._closing.without_load)
        else:
            self._closing.conclude(active.run)

    def judged(self, run: Run) -> None:
        """In the web UI, print the verdict. Otherwise, end the process if the suite has stopped the run."""
        if self._closing.without_load:
            return
        if not self._is_headless:
            self._closing.show()
        elif run.ended_by is EndedBy.SUITE:
            gevent.spawn(self.end_load)

    def note_error(self, event: str, where: str, error: BaseException) -> None:
        """Record an error of a listener in the current run, or else in the verdict of the last run."""
        if isinstance(error, SystemExit) and event in {"test_start", "test_stop", "quitting"}:
            self._closing.note_exit(error)
            if event == "test_start":
                self._closing.without_load = f"the {where} called sys.exit({error.code!r})"
        elif self.current() is not None:
            super().note_error(event, where, error)
        else:
            self._closing.note_exception(error, f"{where}: ")

    def conclusion(self) -> Conclusion | None:
        """Return the conclusion of the last run."""
        return self._closing.conclusion

    def finish(self) -> None:
        """Set the final exit code."""
        if self._is_headless:
            self._closing.finish()

    def quit(self) -> None:
        """Print the verdict below the output of Locust."""
        if self._closing.conclusion is not None and self._is_headless:
            self._closing.show()
            write_missing_html(self.environment)

    def _preflight(self) -> list[str]:
        user_classes = classes_with_users(self.choice, self.environment)
        hosts = hosts_under_test(self.environment, user_classes)
        return preflight_problems(self.suite, self._project, hosts, user_classes)

    def _check_workers(self, workers: AdmittedWorkers) -> None:
        """Refuse the start of a run if a worker cannot reach the target."""
        if not (problems := workers.problems()):
            return
        if self._is_headless:
            workers.end(problems, ExitCode.ERROR)
            # End the greenlet in which Locust would spawn the users.
            raise gevent.GreenletExit
        self._refuse_start(problems)

    def _refuse_start(self, problems: list[str]) -> NoReturn:
        """Prevent the start of a run, and show the reason in the web UI."""
        self._closing.begin()
        for problem in problems:
            logger.error("no load was generated: %s", problem)
            self.runner.log_exception("loadgate", f"no load was generated: {problem}", problem)
        # End the greenlet in which Locust would spawn the users.
        raise gevent.GreenletExit

    def _worker_is_lost(self) -> None:
        """Note the loss now, because the worker can be back before the next check of all workers."""
        if self._master is not None and (run := self._current_run()) is not None:
            self._master.note_missing(run)

    def _current_run(self) -> Run | None:
        active = self.current()
        return active.run if active is not None else None


def _project() -> Project:
    try:
        return load_project()
    except ProjectError as error:
        refuse(str(error), ExitCode.USAGE)
