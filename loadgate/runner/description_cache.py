"""Keeps what a suite declares, because importing Locust takes over a second.

A description holds as long as everything it was made from is as it was: the files that were read and the folders that
were listed meanwhile, the environment, the Python and the current folder. It is kept in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FORMAT = 1
MAX_KEPT = 50
VOLATILE = frozenset({"COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "_"})
"""Environment variables that change from one command to the next, and that no suite's profiles depend on."""


class DescriptionCache:
    """The descriptions of one locustfile, as `describe` takes it, for one environment."""

    def __init__(self, locustfile: str, environment: Mapping[str, str]) -> None:
        variables = sorted((name, value) for name, value in environment.items() if name not in VOLATILE)
        made_from = (FORMAT, sys.version, sys.executable, str(Path.cwd()), locustfile, variables)
        key = hashlib.sha256(repr(made_from).encode("utf-8", "surrogateescape")).hexdigest()
        self._folder = Path(environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "loadgate"
        self._file = self._folder / f"profiles-{key}.json"

    def find(self) -> dict[str, Any] | None:
        """Return the description, or `None` where there is none that still holds."""
        try:
            kept = json.loads(self._file.read_bytes())
            holds = all(_state_of(path) == state for path, state in kept["sources"].items())
            return dict(kept["description"]) if holds else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None  # not there, or damaged: it is made anew

    def keep(self, description: Mapping[str, Any], sources: Iterable[str]) -> None:
        """Keep a description that was made from the files and folders `sources`.

        A folder that cannot be written costs the next command a second, and is no reason to complain.
        """
        kept = {"sources": {path: _state_of(path) for path in sources}, "description": description}
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile("w", dir=self._folder, delete=False, encoding="utf-8") as file:
                json.dump(kept, file)
            Path(file.name).replace(self._file)
            self._forget_oldest()
        except (OSError, ValueError):
            return

    def _forget_oldest(self) -> None:
        kept = sorted(self._folder.glob("profiles-*.json"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MAX_KEPT]:
            path.unlink(missing_ok=True)


def _state_of(path: str) -> list[int]:
    """Return what changes when a file or a folder does; nothing where there is none."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return []
    return [status.st_mtime_ns, status.st_size, status.st_ino]
