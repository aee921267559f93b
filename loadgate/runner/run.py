"""Carry out one run: start the managed target, run Locust as a child process, and publish the report."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from loadgate.checks import host_problem, is_http
from loadgate.credentials import without_credentials
from loadgate.environment import named
from loadgate.errors import RequestError
from loadgate.exit_codes import ExitCode
from loadgate.folder_locks import in_use
from loadgate.live.display import display_on
from loadgate.paths import COMMAND_VARIABLE, run_folder, safe_name, shown_path
from loadgate.project import Project, TargetSettings
from loadgate.report.artefacts import (
    REPORT_FILE,
    RUN_FILES,
    ArtefactError,
    append_job_summary,
    publish,
)
from loadgate.report.baseline import changes_lines, find_baseline, last_comparable_run, with_baseline
from loadgate.report.summary import markdown_summary
from loadgate.report.text import target_end
from loadgate.rules import RuleOutcome
from loadgate.run.document import RUN_FILE, RunDocument, TargetRecord, read_run
from loadgate.run.document.baseline import BaselineRecord
from loadgate.run.judgement import INTERRUPTED
from loadgate.runner.delivery import Delivery, deliver
from loadgate.runner.describe import describe, suite_files
from loadgate.runner.locust_process import run_locust
from loadgate.runner.signals import Signals
from loadgate.runner.target import ManagedTarget, managed_target
from loadgate.terminal import can_draw, terminal_columns, wrapped

Say = Callable[[str], None]


class RunError(RequestError):
    """Raised if the request for a run is wrong. The text has one line for each error."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The arguments of `loadgate run`.

    An empty `profile` means the suite's default. `locust_options` are passed to Locust unchanged.
    """

    profile: str = ""
    host: str | None = None
    locustfile: str | None = None
    """In the form of Locust's -f: a file, several files with commas, or a folder."""
    locust_options: Sequence[str] = ()
    baseline: bool | None = None
    """True requires the profile's baseline; None compares with the last run if there is none; False with neither."""
    delivery: Delivery = field(default_factory=Delivery)

    def command(self) -> str:
        """Return the command line that repeats the run, without its delivery."""
        given = {"--host": self.host, "--locustfile": self.locustfile}
        options = [part for name, value in given.items() if value is not None for part in (name, value)]
        if self.baseline is not None:
            options.append("--baseline" if self.baseline else "--no-baseline")
        return shlex.join(["loadgate", "run", self.profile, *options, *self.locust_options])


def run(request: RunRequest, project: Project, say: Say) -> ExitCode:
    """Carry out one run and return its exit code.

    Raises:
        RunError, DescribeError: The request, the locustfile or the profile is wrong.
        ReportFolderError: The reports cannot be written.
        TargetError: The managed target did not start.
    """
    if "--worker" in request.locust_options:
        raise RunError("--worker: a worker is started by Locust; use locust --worker with the same locustfile")
    locustfile = suite_files(request.locustfile, project)
    host = request.host or os.environ.get("TARGET_HOST")
    if host and is_http(host) and (problem := host_problem(host)):
        raise RunError(without_credentials(named(problem, host, "TARGET_HOST")))
    if problem := request.delivery.problem():
        raise RunError(problem)
    settings = project.target
    declared = describe(locustfile, request.profile, request.locust_options)
    # Locust itself reads other hosts from its configuration files, the environment and the user classes.
    has_host = host or declared["host"] or (settings is None and not declared["needs_host"])
    if not has_host and settings is None:
        raise RunError("no host to test: use --host, set TARGET_HOST, or declare [tool.loadgate.target]")
    request = replace(request, profile=request.profile or declared["default"], host=host)
    baseline = find_baseline(project, request.profile, request.baseline)
    folder = run_folder(project, request.profile, time.time())
    try:
        with in_use(folder), Signals() as signals:
            launch = _Launch(request, project, locustfile, folder, baseline, signals, say)
            code = launch.run_against(host or "") if has_host or settings is None else launch.run_with(settings)
            return launch.deliver(code)
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # succeeds only if the folder is empty, because the run did not start


@dataclass(frozen=True, slots=True)
class _Launch:
    """A run that is ready to start."""

    request: RunRequest
    project: Project
    locustfile: str
    folder: Path
    baseline: BaselineRecord | None
    signals: Signals
    say: Say

    def run_with(self, settings: TargetSettings) -> ExitCode:
        """Start the managed target, run Locust against it, and stop it."""
        settings = settings.for_run(self.folder)
        self.say(f"starting the target: {shown_command(settings.command)}")
        with managed_target(settings, self.project.root, self.folder / "target.log", self.signals.any) as target:
            self.say(f"the target is ready at {without_credentials(target.url)}")
            return self.run_against(target.url, target)

    def deliver(self, code: ExitCode) -> ExitCode:
        """Deliver the run's folder, unless it is empty. Return the exit code: nothing proves a pass that is lost."""
        if not any(self.folder.iterdir()) or deliver(self.folder, self.request.delivery, self.signals, self.say):
            return code
        return ExitCode.ERROR if code == ExitCode.PASS else code

    def run_against(self, host: str, target: ManagedTarget | None = None) -> ExitCode:
        """Run Locust, complete the artefacts, publish the report, and return the exit code."""
        code = self._locust(host, target)
        if not (self.folder / RUN_FILE).exists():
            return self._without_run(code)
        written = read_run(self.folder)
        document, ended = self._with_target(written, target)
        document = self._with_baseline(document)
        if document is not written:
            try:
                RUN_FILES.write(document, self.folder)
            except ArtefactError as error:
                self.say(f"loadgate: the target's exit and the baseline could not be added: {error}")
        verdict = document.verdict
        if ended:
            self.say(f"FAIL: {verdict.reason} (exit code {verdict.exit_code})")
        report = self.project.reports_path / f"{safe_name(self.request.profile)}_load_report.html"
        try:
            publish(self.folder, report)
            self.say(f"report: {shown_path(report)}")
            if can_draw(sys.stdout, os.environ):
                self.say("open it with: loadgate open")
        except OSError as error:
            self.say(f"loadgate: not written: {shown_path(report)}: {error.strerror or error}")
            self.say(f"report: {shown_path(self.folder / REPORT_FILE)}")
        for problem in append_job_summary(markdown_summary(document)):
            self.say(f"loadgate: {problem}")
        if code != verdict.exit_code and not ended and not self.signals.any():
            self.say(f"Locust exited with code {code}, but the exit code of the verdict is {verdict.exit_code}")
            return ExitCode.ERROR
        return verdict.exit_code

    def _with_target(self, document: RunDocument, target: ManagedTarget | None) -> tuple[RunDocument, str | None]:
        """Return the document with the managed target, and how the target ended if it did."""
        if target is None or self.project.target is None:
            return document, None
        ended = target.ended()
        return with_target(document, target_record(target, self.project.target.for_run(self.folder), ended)), ended

    def _with_baseline(self, document: RunDocument) -> RunDocument:
        """Return the document with the profile's baseline or the last comparable run, and print the changes."""
        if self.request.baseline is False:
            return document
        reference = self.baseline or last_comparable_run(self.project.reports_path, document, self.folder)
        if reference is None:
            document, problem = document.model_copy(update={"is_first_of_its_kind": True}), ""
        else:
            document, problem = with_baseline(document, reference)
        lines = [f"! {problem}"] if problem else changes_lines(document)
        for line in wrapped(lines, terminal_columns(os.environ)):
            self.say(line)
        return document

    def _locust(self, host: str, target: ManagedTarget | None) -> int:
        """Run Locust and return its exit code."""
        command = [sys.executable, "-m", "locust", "-f", self.locustfile, "--headless", "--only-summary"]
        command += ["--loglevel", "WARNING", "--load-profile", self.request.profile]
        command += ["--host", host] if host else []
        command += [*self.request.locust_options, *_free_port_options(self.request.locust_options)]
        return run_locust(
            command,
            self.folder,
            target,
            self.signals,
            display_on(sys.stdout, os.environ),
            variables={COMMAND_VARIABLE: self.request.command()},
        )

    def _without_run(self, code: int) -> ExitCode:
        if code in {ExitCode.FAIL, ExitCode.INCONCLUSIVE}:
            return ExitCode(code)  # Locust has printed the verdict and the reason why it could not be written
        if code in {ExitCode.USAGE, ExitCode.ERROR} and not self.signals.any():
            return ExitCode(code)
        if self.signals.any():
            self.say("interrupted before the load started, so there is no result")
        else:
            self.say(f"Locust exited with code {code} and wrote no {RUN_FILE}, so there is no result")
        return ExitCode.ERROR


def _free_port_options(locust_options: Sequence[str]) -> list[str]:
    """Return options with a free loopback port for the processes of --processes, so that runs can overlap."""
    names = {option.partition("=")[0] for option in locust_options}
    if "--processes" not in names or names & {"--master-port", "--master-bind-port", "--worker"}:
        return []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


def shown_command(command: Sequence[str]) -> str:
    """Return a command as text, with relative paths below the current folder and without passwords."""
    here = f"{Path.cwd()}{os.sep}"
    return without_credentials(shlex.join(part.removeprefix(here) for part in command))


def target_record(target: ManagedTarget, settings: TargetSettings, ended: str | None) -> TargetRecord:
    """Return the record of the managed target."""
    return TargetRecord(
        command=[without_credentials(part) for part in settings.command],
        url=without_credentials(target.url),
        ended=ended,
    )


def with_target(document: RunDocument, target: TargetRecord) -> RunDocument:
    """Return the document with the record of its target. A target that ended during the load makes the run fail."""
    verdict = document.verdict
    if target.ended:
        changes = {
            "outcome": RuleOutcome.FAIL,
            "exit_code": ExitCode.FAIL,
            "reason": f"{target_end(target.ended)} during the run",
            # The end of the target stopped the run, so the note on an interrupt would be wrong.
            "notes": [verdict.reason, *(note for note in verdict.notes if not note.startswith(INTERRUPTED))],
        }
        verdict = verdict.model_copy(update=changes)
    return document.model_copy(update={"target": target, "verdict": verdict})
