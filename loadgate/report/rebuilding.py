"""Write the files of a run, a comparison or a search for the capacity again, from its JSON file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loadgate.errors import RequestError, os_error_text
from loadgate.paths import ReportFolderError, shown_path
from loadgate.report.ab.artefacts import COMPARISON_FILES
from loadgate.report.ab.document import AB, AB_FILE, AbDocument
from loadgate.report.artefacts import DAMAGED, RUN_FILES, write_latency_log
from loadgate.report.capacity.artefacts import SEARCH_FILES
from loadgate.report.capacity.document import CAPACITY, CAPACITY_FILE, CapacityDocument
from loadgate.run.document import RUN, RunFileError, read_run
from loadgate.run.document.stored_file import FileKind


def rebuild(path: Path, *, with_latency_log: bool = False) -> list[Path]:
    """Write all files again and return the paths of those that people open. `path` is a folder or its JSON file.

    Raises:
        RunFileError: There is no run or comparison, or this version cannot read it.
        ReportFolderError: The files cannot be written.
        RequestError: A comparison has no log of latencies.
    """
    folder = path if path.is_dir() else path.parent
    if (path / AB_FILE).is_file() or path.name == AB_FILE:
        if with_latency_log:
            raise RequestError(f"{path}: a comparison has no log of latencies; give the folder of one of its segments")
        comparison = AbDocument.read(path)
        return _written(path, folder, AB, lambda: [COMPARISON_FILES.rebuild(comparison, folder)])
    if (path / CAPACITY_FILE).is_file() or path.name == CAPACITY_FILE:
        if with_latency_log:
            raise RequestError(f"{path}: a search has no log of latencies; give the folder of one of its trials")
        search = CapacityDocument.read(path)
        return _written(path, folder, CAPACITY, lambda: [SEARCH_FILES.rebuild(search, folder)])
    run = read_run(path)
    log = [write_latency_log] if with_latency_log else []
    return _written(path, folder, RUN, lambda: [write(run, folder) for write in (RUN_FILES.rebuild, *log)])


def _written(path: Path, folder: Path, kind: FileKind, write: Callable[[], list[Path]]) -> list[Path]:
    try:
        return write()
    except DAMAGED as error:
        raise RunFileError(f"{path}: {kind.damage(error)}") from error
    except OSError as error:
        reason = os_error_text(error)
        raise ReportFolderError(f"{shown_path(folder)}: the files cannot be written: {reason}") from error
