"""The folder in which the API processes of one server share their metrics.

prometheus_client reads `PROMETHEUS_MULTIPROC_DIR` when it is imported. If this module is imported first and the
variable is not set, it selects a folder for the processes of one server (`--workers N`).
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path

from inference_core.core.processes import process_lives
from inference_core.core.settings import SettingsError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
OLD_VARIABLE = "prometheus_multiproc_dir"
PREFIX = "inference-core-metrics-"


def prepare() -> None:
    """Set and create the folder if this process is one of several.

    Raises:
        SettingsError: The folder cannot be created.
    """
    # prometheus_client would take the folder from the old name unchecked.
    if (folder_name := os.environ.pop(OLD_VARIABLE, None)) and not os.environ.get(VARIABLE):
        os.environ[VARIABLE] = folder_name
    if not os.environ.get(VARIABLE):
        os.environ.pop(VARIABLE, None)  # prometheus_client checks only whether it is set
        parent = multiprocessing.parent_process()
        if parent is None:
            return
        folder = Path(tempfile.gettempdir()) / f"{PREFIX}{os.getuid()}-{parent.pid}"
        _remove_left_over(folder.parent)
        os.environ[VARIABLE] = str(folder)
    try:
        Path(os.environ[VARIABLE]).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        folder_name = os.environ[VARIABLE]
        raise SettingsError(f"settings: {VARIABLE} is {folder_name}, no folder for metrics: {error.strerror}") from None


def processes_gone() -> set[int]:
    """Return the ended processes with gauges in the folder, for example after a crash."""
    files = Path(os.environ[VARIABLE]).glob("gauge_live*_*.db")
    return {pid for path in files if not process_lives(pid := int(path.stem.rpartition("_")[2]))}


def _remove_left_over(folder: Path) -> None:
    """Remove the folders of servers that have ended."""
    for path in folder.glob(f"{PREFIX}{os.getuid()}-*"):
        pid = path.name.rpartition("-")[2]
        if pid.isdecimal() and not process_lives(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


prepare()
