"""Where the artefacts of a run are, and the environment variables by which `loadgate run` tells Locust."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from loadgate.project import Project

RUN_FOLDER_VARIABLE = "LOADGATE_RUN_FOLDER"
"""Names the run folder, for a parent process that must know it before the run has ended."""

PROGRESS_VARIABLE = "LOADGATE_PROGRESS"
"""Set: print a status line now and then instead of Locust's tables."""


def run_folder(project: Project, profile: str, started_s: float) -> Path:
    """Return where a run's artefacts belong; no other run's are there."""
    if given := os.environ.get(RUN_FOLDER_VARIABLE):
        return _free(Path(given))
    stamp = datetime.fromtimestamp(started_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    return _free(project.reports_path / "runs" / f"{stamp}-{safe_name(profile)}")


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
    while (candidate / "run.json").exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate
