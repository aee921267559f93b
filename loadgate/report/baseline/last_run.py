"""Find the last comparable run, which takes the place of a baseline that nobody has set."""

from __future__ import annotations

from pathlib import Path

from loadgate.paths import RUNS, safe_name
from loadgate.report.baseline.measuring import measured_run
from loadgate.report.compare.sides import run_problem
from loadgate.report.history import newest_first
from loadgate.run.document import RunDocument, RunFileError, read_run
from loadgate.run.document.baseline import BaselineRecord

MAX_READ = 10
"""Runs that are read at most. Reading a long one takes up to a second."""


def last_comparable_run(reports: Path, document: RunDocument, folder: Path) -> BaselineRecord | None:
    """Return the values of the newest other run with the same load on the same class of machines. None without one.

    `folder` is that of the run itself. Runs that ended early, or whose generator was saturated, are skipped.
    """
    wanted = _kind(document)
    if wanted is None:
        return None
    suffix = f"-{safe_name(document.run.profile.name)}"
    others = (other for other in newest_first(reports / RUNS) if suffix in other.name and other.name != folder.name)
    for other, _ in zip(others, range(MAX_READ), strict=False):
        try:
            found = read_run(other)
        except RunFileError:
            continue  # loadgate history lists it
        if _kind(found) == wanted and found.totals.overall.requests and not run_problem(found):
            return measured_run(found, other.name).model_copy(update={"is_last_run": True})
    return None


def _kind(document: RunDocument) -> tuple[str, str] | None:
    """Return the fingerprints of the load and of the machine. None in a run of an older version."""
    fingerprint = document.made_on.fingerprint
    return (fingerprint.profile, fingerprint.machine) if fingerprint is not None else None
