"""`loadgate history --prune`: delete old runs, comparisons and searches for the capacity."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadgate.folder_locks import deleting
from loadgate.paths import COMPARISONS, RUNS, SEARCHES
from loadgate.report.ab.document import AB_FILE, AbDocument
from loadgate.report.capacity.document import CAPACITY_FILE, CapacityDocument
from loadgate.report.history import newest_first
from loadgate.run.document import RUN_FILE, RunFileError, read_run

QUIET_S = 3600.0
"""If a folder has no document and nothing was written to it for this long, its run has failed."""

_STAMPED = re.compile(r"\d{8}T\d{6}Z-")


@dataclass(frozen=True, slots=True)
class Pruned:
    """The numbers of deleted folders."""

    runs: int
    comparisons: int
    searches: int = 0


def prune(reports: Path, profile: str | None, keep: int, now_s: float) -> Pruned:
    """Delete all runs, comparisons and searches except the newest `keep` of each, of one or all profiles.

    Without a profile, folders without their document are deleted too, unless a file was written to them within QUIET_S.
    Folders that a command is writing, other folders and links are kept.

    Raises:
        OSError: A folder cannot be deleted.
    """
    return Pruned(*(_prune(kind, reports / kind.folder, profile, keep, now_s) for kind in _KINDS))


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of folder. `profile` reads the profile from its document, and raises RunFileError."""

    folder: str
    document: str
    profile: Callable[[Path], str]

    def is_of(self, folder: Path, profile: str) -> bool:
        """Return whether a folder belongs to a profile."""
        try:
            return self.profile(folder) == profile
        except RunFileError:
            return False


_RUN = _Kind(RUNS, RUN_FILE, lambda folder: read_run(folder).run.profile.name)
_COMPARISON = _Kind(COMPARISONS, AB_FILE, lambda folder: AbDocument.read(folder).plan.profile)
_SEARCH = _Kind(SEARCHES, CAPACITY_FILE, lambda folder: CapacityDocument.read(folder).search.profile)
_KINDS = (_RUN, _COMPARISON, _SEARCH)


def _prune(kind: _Kind, parent: Path, profile: str | None, keep: int, now_s: float) -> int:
    kept = deleted = 0
    for folder in newest_first(parent):
        if not _STAMPED.match(folder.name) or folder.is_symlink():
            continue
        # Files and folders can vanish meanwhile: a second command deletes them, or a run renames them.
        with contextlib.suppress(FileNotFoundError):
            if not (folder / kind.document).exists():
                is_over = profile is None and now_s - _last_change_s(folder) > QUIET_S
            elif profile is not None and not kind.is_of(folder, profile):
                continue
            else:
                kept += 1
                is_over = kept > keep
            if is_over:
                deleted += _delete(folder)
    return deleted


def _delete(folder: Path) -> bool:
    """Delete a folder unless it is in use, and return whether it is deleted."""
    with deleting(folder) as is_free:
        if is_free:
            shutil.rmtree(folder)
        return is_free


def _last_change_s(folder: Path) -> float:
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
