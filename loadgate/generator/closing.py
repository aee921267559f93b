"""The end of the runs of a process: who ended the load, the conclusion, and an exit code that says the same."""

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


def who_ends(run: Run, runner: Runner, *, is_interrupted: bool) -> EndedBy:
    """Return by whom Locust was told to stop, where the gate has not told it.

    `is_interrupted` on a worker that its master told to stop as well.
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
    # The web UI's stop button is a request to the web UI.
    return EndedBy.INTERRUPT if has_request_context() else EndedBy.SUITE


@dataclass(frozen=True, slots=True)
class Judged:
    """A run that was judged, and how many exceptions the verdict knows of."""

    run: Run
    conclusion: Conclusion
    exceptions: int


class Closing:
    """What came of the last run of a process that judges, and the exit code of the process.

    Listeners of the suite are called between a run's conclusion and the end of the process. What they raise changes
    the verdict; the exit code stays the verdict's.
    """

    def __init__(self, environment: Environment, project: Project) -> None:
        self.without_load = ""
        """Why a run ended before any load was made."""
        self._environment = environment
        self._project = project
        self._last: Judged | None = None
        self._own_code: int | None = None
        self._suites_code: int | None = None

    @property
    def conclusion(self) -> Conclusion | None:
        """What came of the last run that was judged."""
        return self._last.conclusion if self._last is not None else None

    def begin(self) -> None:
        """A run begins; until it is judged, the process has failed."""
        self.without_load = ""
        self._set_code(ExitCode.ERROR)

    def refuse(self) -> None:
        """A run cannot begin: the process has failed."""
        self._set_code(ExitCode.ERROR)

    def conclude(self, run: Run) -> None:
        """Judge a run that is over, and write its files."""
        before = self._last.conclusion if self._last is not None and self._last.run is run else None
        self._last = Judged(run, conclude(run, self._project, before), _exceptions_of(run))
        self._set_code(self._last.conclusion.code)

    def note_exception(self, error: BaseException, where: str) -> None:
        """Note what a listener raised after the run was judged."""
        if self._last is not None:
            self._last.run.record_exception(error, error.__traceback__, where)

    def note_exit(self, error: SystemExit) -> None:
        """Note that a listener wanted to end the process with an exit code of its own."""
        code: Any = error.code
        self._suites_code = code if isinstance(code, int) else int(code is not None)

    def finish(self) -> None:
        """All listeners have been called: say what they changed, and set the exit code for good."""
        self._note_code()
        if self._last is None:
            reason = self.without_load or "the run was ended before it began"
            print(f"loadgate: no load was made: {reason}", file=sys.stderr, flush=True)
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
        if self._suites_code not in {None, code}:
            remarks.append(f"the suite set the exit code {self._suites_code}; the exit code is the verdict's, {code:d}")
        show(self.conclusion, remarks)

    def _set_code(self, code: int) -> None:
        self._note_code()
        self._own_code = self._environment.process_exit_code = int(code)

    def _note_code(self) -> None:
        """Notice a code that the suite has set."""
        if self._environment.process_exit_code not in {None, self._own_code}:
            self._suites_code = self._environment.process_exit_code


def _exceptions_of(run: Run) -> int:
    return sum(exception.count for exception in run.exceptions.values())
