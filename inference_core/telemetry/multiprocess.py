"""Where the API processes of one server keep their metrics, so that any of them can answer for all.

prometheus_client decides, when it is imported, by `PROMETHEUS_MULTIPROC_DIR` whether metrics are shared. Importing this
module first names a folder for the processes of one server (`--workers N`) unless the variable is set already.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "inference-core-metrics-"


def prepare() -> None:
    """Name the folder if this process is one of several, and make it."""
    if VARIABLE not in os.environ:
        parent = multiprocessing.parent_process()
        if parent is None:
            return
        folder = Path(tempfile.gettempdir()) / f"{PREFIX}{os.getuid()}-{parent.pid}"
        _remove_left_over(folder.parent)
        os.environ[VARIABLE] = str(folder)
    Path(os.environ[VARIABLE]).mkdir(mode=0o700, parents=True, exist_ok=True)


def _remove_left_over(folder: Path) -> None:
    """Remove the folders of servers that are gone."""
    for path in folder.glob(f"{PREFIX}{os.getuid()}-*"):
        try:
            os.kill(int(path.name.rpartition("-")[2]), 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (PermissionError, ValueError):
            continue


prepare()
