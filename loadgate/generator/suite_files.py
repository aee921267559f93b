"""The files of the suite: its locustfiles, and the modules that they import from their folders."""

from __future__ import annotations

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
    own = {Path(file).resolve() for file in locustfiles}
    folders = {file.parent for file in own}
    installed = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")}
    for module in list(sys.modules.values()) if modules is None else modules:
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or module.__name__.partition(".")[0] == "loadgate":
            continue
        path = Path(file).resolve()
        if not folders.isdisjoint(path.parents) and installed.isdisjoint(path.parents):
            own.add(path)
    try:
        contents = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in own)
    except OSError:
        return None
    return hashlib.sha256("".join(contents).encode()).hexdigest()[:_LENGTH] if contents else None
