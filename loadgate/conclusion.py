"""The end of a run: judge it, write its artefacts, and say what came of it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from loadgate.artefacts import RUN_FILE, write_artefacts
from loadgate.console import verdict_text
from loadgate.exit_codes import ExitCode
from loadgate.judgement import exit_code, judge
from loadgate.project import Project
from loadgate.run_document import run_document
from loadgate.run_state import Run

RUN_FOLDER_VARIABLE = "LOADGATE_RUN_FOLDER"
"""Names the run folder, for a parent process that must know it before the run has ended."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What came of a run."""

    code: ExitCode
    text: str
    folder: Path


def conclude(run: Run, project: Project) -> Conclusion:
    """Judge a run that is over and write what it leaves behind."""
    run.ended_s = time.time()
    verdict = judge(run.plan.rules, run.recorder, run.facts())
    folder = _free(run_folder(project, run.plan.profile.name, run.started_s))
    document = run_document(run, verdict, project.root)
    report = write_artefacts(document, folder)
    return Conclusion(exit_code(verdict.outcome), verdict_text(document, shown_path(report)), folder)


def run_folder(project: Project, profile: str, started_s: float) -> Path:
    """Return where a run's artefacts belong."""
    if given := os.environ.get(RUN_FOLDER_VARIABLE):
        return Path(given)
    stamp = datetime.fromtimestamp(started_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    return project.reports_path / "runs" / f"{stamp}-{safe_name(profile)}"


def safe_name(text: str) -> str:
    """Return a profile's name as part of a file name."""
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in text) or "run"


def shown_path(path: Path) -> Path:
    """Return a path relative to here where it is below."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _free(folder: Path) -> Path:
    """Return the folder, or the next one with a number where another run of the same second left its run.json."""
    candidate, number = folder, 1
    while (candidate / RUN_FILE).exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
