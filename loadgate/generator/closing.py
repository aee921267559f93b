"""The end of a run: the cause of its end, its verdict, and the exit code of the process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import gevent
from flask import has_request_context
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from loadgate.exit_codes import ExitCode
from loadgate.project import Project
from loadgate.report.conclusion import Conclusion, conclude, show
from loadgate.run.judgement import EndedBy
from loadgate.run.state import Run


def cause_of_end(run: Run, runner: Runner, *, is_interrupted: bool) -> EndedBy:
    """Return why the load ended, for a load that the gate itself did not end.

    `is_interrupted` is also true on a worker that was stopped by its master.
    """
    if is_interrupted:
        return EndedBy.INTERRUPT
    if isinstance(runner, MasterRunner) and not runner.worker_count:
        return EndedBy.SUITE if run.workers.stopped_by_suite >= run.workers.lost.keys() else EndedBy.INTERRUPT
    if runner.shape_greenlet is not None and runner.shape_greenlet is gevent.getcurrent():
        return EndedBy.SHAPE
    if run.plan.timed_by_gate or isinstance(runner, WorkerRunner):
        return EndedBy.SUITE
    if not run.is_early():
        return EndedBy.TIME
    # The stop button of the web UI stops a run from within an HTTP request.
    return EndedBy.INTERRUPT if has_request_context() else EndedBy.SUITE


@dataclass(frozen=True, slots=True)
class Judged:
    """A run with its verdict, and the number of exceptions on which the verdict is based."""

    run: Run
    conclusion: Conclusion
    exceptions: int


class Closing:
    """The conclusion of the last run of a process, and the exit code of the process.

    Locust calls listeners of the suite between the end of a run and the end of the process. Their exceptions can change
    the verdict. The verdict always decides the exit code.
    """

    def __init__(self, environment: Environment, project: Project) -> None:
        self.without_load = ""
        """The reason why a run ended before the load started."""
        self._environment = environment
        self._project = project
        self._last: Judged | None = None
        self._own_code: int | None = None
        self._suite_code: int | None = None

    @property
    def conclusion(self) -> Conclusion | None:
        """Return the conclusion of the last run. `None` if no run has ended."""
        return self._last.conclusion if self._last is not None else None

    def begin(self) -> None:
        """Note that a run starts or is refused. Until it has a verdict, the exit code is ERROR."""
        self.without_load = ""
        self._set_code(ExitCode.ERROR)

    def conclude(self, run: Run) -> None:
        """Determine the verdict of a finished run and write its files."""
        before = self._last.conclusion if self._last is not None and self._last.run is run else None
        self._last = Judged(run, conclude(run, self._project, before), _exceptions_of(run))
        self._set_code(self._last.conclusion.code)

    def note_exception(self, error: BaseException, where: str) -> None:
        """Record an exception that a listener raised after the verdict."""
        if self._last is not None:
            self._last.run.record_exception(error, error.__traceback__, where)

    def note_exit(self, error: SystemExit) -> None:
        """Record an exit code with which a listener tried to end the process."""
        code: Any = error.code
        self._suite_code = code if isinstance(code, int) else int(code is not None)

    def finish(self) -> None:
        """Set the final exit code after all listeners have run. After new exceptions, determine the verdict again."""
        self._note_code()
        if self._last is None:
            reason = self.without_load or "the run was stopped before its start"
            print(f"loadgate: no load was generated: {reason}", file=sys.stderr, flush=True)
            self._set_code(ExitCode.ERROR)
        elif _exceptions_of(self._last.run) != self._last.exceptions:
            self.conclude(self._last.run)
        else:
            self._set_code(self._last.conclusion.code)

    def show(self) -> None:
        """Print the verdict."""
        if self.conclusion is None:
            return
        code, remarks = self.conclusion.code, []
        if self._suite_code not in {None, code}:
            remarks.append(f"the suite set exit code {self._suite_code}; the verdict's exit code {code:d} is used")
        show(self.conclusion, remarks)

    def _set_code(self, code: int) -> None:
        self._note_code()
        self._own_code = self._environment.process_exit_code = int(code)

    def _note_code(self) -> None:
        """Remember an exit code that the suite has set."""
        if self._environment.process_exit_code not in {None, self._own_code}:
            self._suite_code = self._environment.process_exit_code


def _exceptions_of(run: Run) -> int:
    return sum(exception.count for exception in run.exceptions.values())
