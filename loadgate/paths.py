"""Where the artefacts of a run are, and the environment variables by which `loadgate run` tells Locust."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from loadgate.errors import CommandError
from loadgate.project import Project

RUN_FOLDER_VARIABLE = "LOADGATE_RUN_FOLDER"
"""Names the run folder that a parent process has reserved, which must know it before the run has ended."""


class PlaceError(CommandError):
    """Nothing can be written where the reports belong; the text is one line for the user."""


def run_folder(project: Project, profile: str, started_s: float) -> Path:
    """Return where a run's artefacts belong: a new folder that is this run's alone, or the one its parent reserved.

    Raises:
        PlaceError: it cannot be made.
    """
    if given := os.environ.get(RUN_FOLDER_VARIABLE):
        return Path(given)
    stamp = datetime.fromtimestamp(started_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    return _reserve(project, f"{stamp}-{safe_name(profile)}")


def check_reports(project: Project) -> None:
    """Make the folder of all runs.

    Raises:
        PlaceError: it cannot be made, or not be written to.
    """
    runs = project.reports_path / "runs"
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceError(f"{shown_path(runs)}: cannot be made for the reports: {error.strerror}") from error
    if not os.access(runs, os.W_OK | os.X_OK):
        raise PlaceError(f"{shown_path(runs)}: the reports cannot be written there: Permission denied")


def safe_name(text: str) -> str:
    """Return a profile's name as part of a file name."""
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in text) or "run"


def shown_path(path: Path) -> Path:
    """Return a path relative to here where it is below."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _reserve(project: Project, name: str) -> Path:
    """Make a folder that no other run has, with a number behind its name where one of the same second has it."""
    check_reports(project)
    for number in count(1):
        candidate = project.reports_path / "runs" / (name if number == 1 else f"{name}-{number}")
        try:
            candidate.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise PlaceError(f"{shown_path(candidate)}: cannot be made: {error.strerror}") from error
        return candidate
    raise AssertionError("counting has no end")
