"""The folders and files of runs, and the environment variables that `loadgate run` passes to Locust."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from loadgate.errors import CommandError
from loadgate.project import Project

RUN_FOLDER_VARIABLE = "LOADGATE_RUN_FOLDER"
"""The path of the run folder. The parent process creates the folder, because it needs the path during the run."""

TARGET_PID_VARIABLE = "LOADGATE_TARGET_PID"
"""The process id of the managed target, which `loadgate run` has started."""

COMMAND_VARIABLE = "LOADGATE_COMMAND"
"""The command line of `loadgate run` as text. Empty if another command has started Locust."""


RUNS, COMPARISONS, SEARCHES = "runs", "ab", "capacity"
"""The names of the folders of all runs, comparisons and searches for the capacity, in the folder of the reports."""


class ReportFolderError(CommandError):
    """Raised if the folder of the reports cannot be created or written. The text is one line."""


def run_folder(project: Project, profile: str, started_s: float) -> Path:
    """Return the folder for the artefacts of a run: a new folder, or the one that the parent process has created.

    Raises:
        ReportFolderError: The folder cannot be created.
    """
    if given := os.environ.get(RUN_FOLDER_VARIABLE):
        return Path(given)
    return _create_folder(project.reports_path / RUNS, profile, started_s)


def comparison_folder(project: Project, profile: str, started_s: float) -> Path:
    """Create the folder for the files of a comparison.

    Raises:
        ReportFolderError: The folder cannot be created.
    """
    return _create_folder(project.reports_path / COMPARISONS, profile, started_s)


def search_folder(project: Project, profile: str, started_s: float) -> Path:
    """Create the folder for the files of a search for the capacity.

    Raises:
        ReportFolderError: The folder cannot be created.
    """
    return _create_folder(searches_path(project), profile, started_s)


def searches_path(project: Project) -> Path:
    """Return the folder of all searches for the capacity."""
    return project.reports_path / SEARCHES


def check_reports(project: Project) -> None:
    """Create the folder of all runs.

    Raises:
        ReportFolderError: The folder cannot be created, or it is not writable.
    """
    _check_folder(project.reports_path / RUNS)


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportFolderError(f"{shown_path(folder)}: cannot be created for reports: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ReportFolderError(f"{shown_path(folder)}: the reports cannot be written there: Permission denied")


def safe_name(text: str) -> str:
    """Return a profile's name in a form that is safe in a file name."""
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in text) or "run"


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Return the folder for what later commands use again. None for a user without a home folder, as in containers.

    A relative XDG_CACHE_HOME is ignored, see https://specifications.freedesktop.org/basedir-spec/latest/.
    """
    given = Path(environment.get("XDG_CACHE_HOME", ""))
    try:
        parent = given if given.is_absolute() else Path("~/.cache").expanduser()
    except RuntimeError:
        return None
    return parent / "loadgate" if parent.is_absolute() else None


def shown_path(path: Path) -> Path:
    """Return a path, relative to the current folder if it is inside that folder."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _create_folder(parent: Path, profile: str, started_s: float) -> Path:
    """Create a folder named by the time and the profile. If one of the same second has the name, append a number."""
    name = f"{datetime.fromtimestamp(started_s, UTC).strftime('%Y%m%dT%H%M%SZ')}-{safe_name(profile)}"
    _check_folder(parent)
    for number in count(1):
        candidate = parent / (name if number == 1 else f"{name}-{number}")
        try:
            candidate.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise ReportFolderError(
                f"{shown_path(candidate)}: the folder cannot be created: {error.strerror}"
            ) from error
        return candidate
    raise AssertionError("unreachable: the loop has no end")


def write_atomically(path: Path, text: str) -> None:
    """Write a file atomically: write a temporary file in the same folder and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
