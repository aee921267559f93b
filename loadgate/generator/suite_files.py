"""The files of the suite: its locustfiles, and the modules that they import from their folders."""

from __future__ import annotations

import functools
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

_LENGTH = 12


def suite_hash(locustfiles: Sequence[str], modules: Iterable[ModuleType] | None = None) -> str | None:
    """Return a short hash of the contents of the suite's files. `None` if there are none, or one cannot be read.

    It does not depend on where the files are, or on their order. Call it after the locustfiles have been imported.
    Installed packages and loadgate do not belong to the suite. `modules` are those that are imported.
    """
    contents = sorted(_contents(locustfiles, modules).values())
    if not contents or "" in contents:
        return None
    return hashlib.sha256("".join(contents).encode()).hexdigest()[:_LENGTH]


def file_hashes(locustfiles: Sequence[str], modules: Iterable[ModuleType] | None = None) -> dict[str, str]:
    """Return a short hash of each file of the suite by its path below the folder of the locustfiles.

    Paths are relative, so that they are equal on all machines. A file that cannot be read has the hash "".
    """
    folders = sorted({Path(file).resolve().parent for file in locustfiles}, key=lambda folder: len(folder.parts))
    contents = _contents(locustfiles, modules)
    return {_below(folders, file): contents[file][:_LENGTH] for file in sorted(contents)}


def _below(folders: Sequence[Path], file: Path) -> str:
    folder = next((folder for folder in folders if folder in file.parents), file.parent)
    return file.relative_to(folder).as_posix()


def _contents(locustfiles: Sequence[str], modules: Iterable[ModuleType] | None) -> dict[Path, str]:
    """Return the hash of each file, "" for one that cannot be read."""
    if modules is None:
        return _imported_contents(tuple(locustfiles))
    return {file: _hash(file) for file in _files(locustfiles, modules)}


@functools.cache
def _imported_contents(locustfiles: tuple[str, ...]) -> dict[Path, str]:
    # Cached, because it takes 0.1 s, during which a worker would send no heartbeat.
    return {file: _hash(file) for file in _files(locustfiles, list(sys.modules.values()))}


def _hash(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _files(locustfiles: Sequence[str], modules: Iterable[ModuleType]) -> set[Path]:
    own = {Path(file).resolve() for file in locustfiles}
    folders = {file.parent for file in own}
    installed = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")}
    for module in modules:
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or module.__name__.partition(".")[0] == "loadgate":
            continue
        path = Path(file).resolve()
        if not folders.isdisjoint(path.parents) and installed.isdisjoint(path.parents):
            own.add(path)
    return own
