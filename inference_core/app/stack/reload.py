"""Restart the processes of the service in development when its Python files change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import inference_core
from inference_core.app.stack.children import Children
from inference_core.core.current_service import current_service_file

RELOADED = ("api", "worker")
LOOK_S = 0.5


def source_folders() -> list[Path]:
    """Return the folders of the service and of inference_core, without installed packages."""
    folders = {current_service_file().resolve().parent, Path(inference_core.__file__).resolve().parent}
    return sorted(folder for folder in folders if "site-packages" not in folder.parts)


class Sources:
    """The Python files in folders, and when they were modified."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        self._modified_ns = self._look()

    def changed(self) -> list[Path]:
        """Return the files that were modified, created or deleted since the last call."""
        before, self._modified_ns = self._modified_ns, self._look()
        now = self._modified_ns
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

    def _look(self) -> dict[Path, int]:
        found = {}
        for folder in self._folders:
            for path in folder.rglob("*.py"):
                try:
                    found[path] = path.stat().st_mtime_ns
                except FileNotFoundError:
                    continue  # an editor replaces the file
        return found


@dataclass(slots=True)
class Reloader:
    """Restarts the API and the worker after a change. If they do not start, it waits for the next change.

    Attributes:
        is_ready: Returns whether the API accepts connections.
    """

    children: Children
    sources: Sources
    announce: Callable[[str], None]
    is_ready: Callable[[], bool]
    _next_look_s: float = 0.0
    _starting_since_s: float | None = None
    _told: set[str] = field(default_factory=set)

    def poll(self) -> None:
        """Restart the processes if a file has changed, and say how the restart went.

        Raises:
            KeyboardInterrupt: A stop signal was received.
            ChildDiedError: A child that is not reloaded has ended.
        """
        self.children.check(may_end=RELOADED)
        now_s = time.monotonic()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_S
            if changed := self.sources.changed():
                self._restart(changed)
        self._tell()

    def _restart(self, changed: Sequence[Path]) -> None:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        self.announce(f"{_shown(changed[0])}{more} changed: restarting the API and the worker")
        self._starting_since_s = time.monotonic()
        self._told.clear()
        self.children.restart(*RELOADED)

    def _tell(self) -> None:
        ended = self.children.ended()
        for name in ended.keys() - self._told:
            self.announce(f"{ended[name]}\nwaiting for the next change of a file")
        self._told |= ended.keys()
        if self._starting_since_s is not None and "api" not in ended and self.is_ready():
            self.announce(f"the API is ready after {time.monotonic() - self._starting_since_s:.1f} s")
            self._starting_since_s = None


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
