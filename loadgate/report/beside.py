"""The files in the folder of a run, to which its page links."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

LOGS = "logs"
"""The name of the folder with the logs of a managed target, in the folder of its run."""

MAX_FILES = 40


def files_beside(folder: Path, written: Iterable[str]) -> list[str]:
    """Return the paths of the files of a run, relative to its folder.

    These are the files `written` together with the page, the other files of the folder, and the logs.
    """
    found = [path for pattern in ("*", f"{LOGS}/*") for path in sorted(folder.glob(pattern))]
    there = [path.relative_to(folder).as_posix() for path in found if path.is_file() and not path.name.startswith(".")]
    return list(dict.fromkeys([*written, *there]))[:MAX_FILES]
