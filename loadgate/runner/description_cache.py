"""Cache the descriptions of locustfiles, because an import of Locust takes more than a second.

A description is valid while everything that it depends on is unchanged: the files and folders that were read, the
environment, the Python version and the current folder. It is stored in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from loadgate.paths import cache_folder, write_atomically

FORMAT = 4
MAX_STORED = 50
VOLATILE = frozenset({"COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "_"})
"""Environment variables that change between commands and do not affect the profiles of a suite."""


class DescriptionCache:
    """The cached description of one `locustfile` argument of `describe` in one environment."""

    def __init__(self, locustfile: str, environment: Mapping[str, str]) -> None:
        variables = sorted((name, value) for name, value in environment.items() if name not in VOLATILE)
        made_from = (FORMAT, sys.version, sys.executable, str(Path.cwd()), locustfile, variables)
        key = hashlib.sha256(repr(made_from).encode("utf-8", "surrogateescape")).hexdigest()
        self._folder = cache_folder(environment)
        self._name = f"profiles-{key}.json"

    def find(self) -> dict[str, Any] | None:
        """Return the description. `None` if there is no valid one."""
        if self._folder is None:
            return None
        try:
            stored = json.loads((self._folder / self._name).read_bytes())
            holds = all(_state_of(path) == state for path, state in stored["sources"].items())
            return dict(stored["description"]) if holds else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None  # missing or damaged: the caller creates it again

    def store(self, description: Mapping[str, Any], sources: Iterable[str], since_ns: int) -> None:
        """Store a description. `sources` are the files and folders that were read for it.

        It is not stored if one of them has changed since `since_ns` (the start of the reading, in epoch nanoseconds),
        because an older version may have been read. Errors are ignored, because a missing cache only makes the next
        command slower.
        """
        if self._folder is None:
            return
        states = {path: _state_of(path) for path in sources}
        if any(_modified_ns(path) >= since_ns for path in states):
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self._folder / self._name, json.dumps({"sources": states, "description": description}))
            _delete_oldest(self._folder)
        except (OSError, ValueError):
            return


def _delete_oldest(folder: Path) -> None:
    stored = sorted(folder.glob("profiles-*.json"), key=lambda path: path.stat().st_mtime)
    for path in stored[:-MAX_STORED]:
        path.unlink(missing_ok=True)


def _state_of(path: str) -> list[int | str]:
    """Return values that change when the file or folder changes. Empty if it does not exist."""
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            # The first run of a suite adds the compiled files to its folder.
            return [status.st_ino, *sorted(name for name in os.listdir(path) if name != "__pycache__")]  # noqa: PTH208
    except (OSError, ValueError):
        return []
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def _modified_ns(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0
