"""Find the run that a command line names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from loadgate.errors import RequestError
from loadgate.paths import shown_path
from loadgate.report.history import newest_first
from loadgate.run.document import RUN_FILE, RunDocument, RunFileError, read_run
from loadgate.units import count

_LATEST = re.compile(r"latest(?:-(\d{1,4}))?")


class RunNameError(RequestError):
    """Raised if there is no run of this name. The message is one line."""


def named_run(name: str, runs: Path, profile: str | None = None) -> tuple[Path, RunDocument]:
    """Return a run and its folder. `runs` is the folder of all runs.

    A name is a folder, a run.json, the name of a folder in `runs`, `latest`, or `latest-2` for the second run before
    the latest. `profile` restricts `latest` to runs of a profile.

    Raises:
        RunNameError: There is no such run.
        RunFileError: Its run.json cannot be read.
    """
    if match := _LATEST.fullmatch(name):
        return _latest(int(match[1] or 0), name, runs, profile)
    for path in (Path(name), runs / name):
        if path.exists():
            return path if path.is_dir() else path.parent, read_run(path)
    raise RunNameError(f"no run {name!r}; give a folder, a run.json, latest, or a name that loadgate history lists")


def _latest(back: int, name: str, runs: Path, profile: str | None) -> tuple[Path, RunDocument]:
    number = 0
    for found in _readable(runs, profile):
        if number == back:
            return found
        number += 1
    of_profile = f" of profile {profile}" if profile else ""
    if not number:
        start = f"loadgate run {profile or ''}".rstrip()
        raise RunNameError(
            f"no run {name!r}: there are no runs{of_profile} in {shown_path(runs)}; start one with {start}"
        )
    there = "is only 1 run" if number == 1 else f"are only {count(number)} runs"
    raise RunNameError(f"no run {name!r}: there {there}{of_profile}, which loadgate history lists")


def _readable(runs: Path, profile: str | None) -> Iterator[tuple[Path, RunDocument]]:
    for folder in newest_first(runs):
        if not (folder / RUN_FILE).exists():
            continue
        try:
            document = read_run(folder)
        except RunFileError:
            continue  # loadgate history lists it
        if profile in {None, document.run.profile.name}:
            yield folder, document
