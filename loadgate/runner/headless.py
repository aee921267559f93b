"""Run Locust once without a display, against a target that is ready, and read its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from loadgate.errors import CommandError
from loadgate.live.display import LoggedDisplay
from loadgate.project import TargetSettings
from loadgate.run.document import RUN_FILE, RunDocument, TargetRecord, read_run
from loadgate.run.judgement import Ending, arrival_notes, unsent_notes
from loadgate.runner.locust_process import run_locust
from loadgate.runner.run import target_record, with_target
from loadgate.runner.signals import Signals
from loadgate.runner.suite import Suite
from loadgate.runner.target import ManagedTarget
from loadgate.units import count

LOG_FILE = "locust.log"


class StoppedError(CommandError):
    """Raised if a signal has stopped a run."""


class NoRunError(CommandError):
    """Raised if Locust leaves no run. The text says why."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """The target of one run. `managed` is None for a deployment."""

    url: str
    managed: ManagedTarget | None = None
    settings: TargetSettings | None = None


def measured_run(
    suite: Suite, target: Fresh, length_s: float, options: Sequence[str], *, folder: Path, signals: Signals
) -> RunDocument:
    """Run Locust for `length_s` with its files in `folder`, and return the run.

    Raises:
        StoppedError: A signal has stopped it.
        NoRunError: Locust leaves no run.
    """
    log = folder / LOG_FILE
    run_locust(
        suite.command(target.url, length_s, options),
        folder,
        target.managed,
        signals,
        LoggedDisplay(log),
        current=suite.current,
        variables=suite.variables,
    )
    if signals.any():
        raise StoppedError
    if not (folder / RUN_FILE).exists():
        raise NoRunError(f"the load did not start: {_last_words(log)}")
    document = read_run(folder)
    record = _target_record(target)
    return with_target(document, record) if record is not None else document


def _target_record(target: Fresh) -> TargetRecord | None:
    if target.managed is None or target.settings is None:
        return None
    return target_record(target.managed, target.settings, target.managed.ended())


def _last_words(log: Path) -> str:
    """Return the messages of loadgate in the output of Locust, or else its last line."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    ours = [line.removeprefix("loadgate: ") for line in lines if line.startswith("loadgate: ")]
    return "; ".join(ours or [line for line in lines if line.strip()][-1:] or ["it printed nothing"])


class Problem(NamedTuple):
    """Why a run cannot be used, one clause, "" if it can; and whether the target is the cause."""

    text: str
    is_fault: bool


def problem_of(document: RunDocument) -> Problem:
    """Return the first problem of a run."""
    if document.target is not None and document.target.ended:
        return Problem(document.target.ended.partition(";")[0], is_fault=True)
    saturated = [process.problem for process in document.generator if process.problem]
    if saturated:
        return Problem(f"the load generator was saturated ({saturated[0]})", is_fault=False)
    if unsent := unsent_notes(document.counters, {process.process: process.unsent for process in document.generator}):
        return Problem(unsent[0], is_fault=False)
    fault = _fault(document)
    return Problem(fault, is_fault=bool(fault))


def _fault(document: RunDocument) -> str:
    run = document.run
    if run.ending is not Ending.COMPLETED:
        return f"the run was {run.ending.value}: {document.verdict.reason}"
    if not document.totals.overall.requests:
        return "it has no requests"
    if document.exceptions:
        times = sum(item.count for item in document.exceptions)
        return f"the suite raised {count(times)} exceptions (first: {document.exceptions[0].text})"
    return "; ".join(arrival_notes(document.counters))
