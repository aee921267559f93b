"""Worktrees outside of the user's working tree. They are always removed, and what was prepared in them is kept.

They are in the user's cache folder, so neither git nor tests or linters of the project find them. Their paths are the
same in every comparison, because virtual environments contain absolute paths and cannot be moved.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadgate.errors import CommandError, os_error_text
from loadgate.paths import cache_folder
from loadgate.project import TargetSettings
from loadgate.runner.ab.commits import Commit, Repository
from loadgate.runner.ab.git import FILES_TIMEOUT_S, git, git_or_none
from loadgate.runner.ab.order import SIDES
from loadgate.runner.ab.preparation import PrepareError

_OWNER = "repository"
"""The file with the path of the repository. It exists only while worktrees can exist."""


class BusyError(CommandError):
    """Raised if another comparison of the same repository is running."""


@contextlib.contextmanager
def worktrees_folder(repository: Repository, use: str = "ab") -> Iterator[Path]:
    """Give the folder of the repository's worktrees for a command. Only one such command can run at a time.

    Raises:
        BusyError: Another comparison of the repository is running.
        CommandError: There is no folder for worktrees.
    """
    cache = cache_folder(os.environ)
    if cache is None:
        raise CommandError("worktrees need a cache folder: set HOME, or XDG_CACHE_HOME to an absolute path")
    name = hashlib.sha256(os.fsencode(repository.top)).hexdigest()[:8]
    folder = cache / use / f"{repository.top.name}-{name}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(folder) as is_free:
        if not is_free:
            raise BusyError(
                "another comparison of this repository is running; wait until it has ended, and start this one again"
            )
        owner = folder / _OWNER
        owner.write_bytes(os.fsencode(repository.top))
        yield folder
        owner.unlink()


def remove_left_worktrees() -> Iterator[str]:
    """Remove the worktrees that killed commands have left, of all repositories. Yield a line for each failure.

    What was prepared in them is kept.
    """
    cache = cache_folder(os.environ)
    for owner in [] if cache is None else cache.glob(f"*/*/{_OWNER}"):
        folder = owner.parent
        try:
            with _locked(folder) as is_free:
                if is_free and owner.exists():
                    repository = Repository(Path(os.fsdecode(owner.read_bytes())))
                    for part in (folder, *(folder / side for side in SIDES)):
                        Worktree(repository, part).remove()
                    owner.unlink()
        except OSError as error:
            yield f"{folder}: a worktree could not be removed: {os_error_text(error)}"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock the folder of a repository during the block. Give False if another process has locked it."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@dataclass(frozen=True, slots=True)
class Worktree:
    """The worktree of one side, in `folder`, and what has been prepared in it."""

    repository: Repository
    folder: Path

    @property
    def tree(self) -> Path:
        """Return the folder of the working tree."""
        return self.folder / "tree"

    @property
    def log(self) -> Path:
        """Return the file for the output of `prepare`."""
        return self.folder / "prepare.log"

    @property
    def _key(self) -> Path:
        """Return the file that says what was prepared. It exists only while everything prepared is complete."""
        return self.folder / "prepared.key"

    @property
    def _listed(self) -> Path:
        """Return the file with the prepared paths, a line each, relative to the working tree."""
        return self.folder / "prepared.paths"

    @property
    def _kept(self) -> Path:
        """Return the folder that has the prepared paths while there is no working tree."""
        return self.folder / "prepared"

    @contextlib.contextmanager
    def of(self, commit: Commit) -> Iterator[Path]:
        """Create the working tree of a commit, and remove it at the end. The one of a killed comparison is removed."""
        self.folder.mkdir(exist_ok=True)
        self.remove()
        try:
            add = ("worktree", "add", "--quiet", "--detach", str(self.tree), commit.snapshot)
            git(self.repository.top, *add, give_up=self.repository.give_up, timeout_s=FILES_TIMEOUT_S)
            yield self.tree
        finally:
            self.remove()

    def restore(self, project: Path, settings: TargetSettings) -> bool:
        """Bring back what an earlier comparison has prepared in `project`, and return whether it is complete.

        If the command or a lock file has changed, it is deleted instead.
        """
        if not self._key.exists() or self._key.read_text() != _key_of(project, settings):
            self._key.unlink(missing_ok=True)
            shutil.rmtree(self._kept, ignore_errors=True)
            return False
        for path in self._paths():
            _move(self._kept / path, self.tree / path)
        if _missing(project, settings):
            self._key.unlink()  # prepare runs again, and can fail
            return False
        return True

    def note_prepared(self, project: Path, settings: TargetSettings) -> None:
        """Note that `prepare` has created everything, so that it is kept.

        Raises:
            PrepareError: It has not created everything.
        """
        if missing := _missing(project, settings):
            raise PrepareError(
                f"prepare has ended, and has not created {', '.join(missing)} (output: {self.log}); "
                "correct prepare or prepared in [tool.loadgate.target] of pyproject.toml"
            )
        if settings.prepared:
            paths = [os.path.relpath(project / path, self.tree) for path in settings.prepared]
            self._listed.write_text("".join(f"{path}\n" for path in paths))
            self._key.write_text(_key_of(project, settings))

    def _paths(self) -> Sequence[str]:
        return self._listed.read_text().splitlines()

    def remove(self) -> None:
        """Remove the working tree, if there is one, and keep what is prepared in it."""
        if self._key.exists():
            for path in self._paths():
                _move(self.tree / path, self._kept / path)
        # git does not know a tree whose creation was killed, so the files are deleted in any case.
        git_or_none(self.repository.top, "worktree", "remove", "--force", "--force", str(self.tree))
        if self.tree.exists():
            _make_writable(self.tree)
            shutil.rmtree(self.tree)


def _make_writable(tree: Path) -> None:
    """Make all folders writable. `prepare` can make read-only ones, such as the modules of Go."""
    tree.chmod(0o700)
    for parent, names, _ in os.walk(tree):
        for folder in (Path(parent) / name for name in names):
            if not folder.is_symlink():
                folder.chmod(0o700)


def _key_of(project: Path, settings: TargetSettings) -> str:
    contents = [(path, _content(project / path)) for path in settings.lock]
    made_from = (sys.version, str(project), settings.prepare, settings.prepared, contents)
    return hashlib.sha256(repr(made_from).encode("utf-8", "surrogateescape")).hexdigest()


def _missing(project: Path, settings: TargetSettings) -> list[str]:
    return [path for path in settings.prepared if not (project / path).exists()]


def _content(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _move(source: Path, goal: Path) -> None:
    if source.exists() and not goal.exists():
        goal.parent.mkdir(parents=True, exist_ok=True)
        source.rename(goal)
