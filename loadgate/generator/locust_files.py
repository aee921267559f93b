"""Locust's own output files: write a missing HTML report, and copy the files to the project's folder."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from locust.env import Environment
from locust.html import get_html_report, process_html_filename

from loadgate.paths import write_atomically
from loadgate.project import Project

CSV_FILES = ("stats", "stats_history", "failures", "exceptions")

logger = logging.getLogger(__name__)


def write_missing_html(environment: Environment) -> None:
    """Write the file of --html if Locust has not written it, for example after SIGTERM."""
    options = environment.parsed_options
    if options is None or not options.html_file or environment.stats.start_time is None:
        return
    process_html_filename(options)
    path = Path(options.html_file)
    if not path.exists() or path.stat().st_mtime < environment.stats.start_time:
        report = get_html_report(environment, show_download_link=False)  # type: ignore[no-untyped-call]
        try:
            write_atomically(path, report)
        except OSError as error:
            logger.warning("%s cannot be written: %s", path, error.strerror or error)


class ProjectCopies:
    """Copies Locust's files in `reports/...` to the project's folder, if Locust runs in another folder.

    A suite can be run from its own folder, but CI jobs collect `reports/...` from the project's folder. The original
    files are kept.
    """

    def __init__(self, options: Namespace, project: Project) -> None:
        self._options = options
        self._project = project
        self._folder = Path.cwd()
        self._since_s = time.time()

    def make(self) -> None:
        """Copy the files of this process. Call it after Locust has closed them."""
        reports = Path(self._project.reports)
        for path in self._written():
            is_below = not path.is_absolute() and not reports.is_absolute() and path.parts[:1] == reports.parts[:1]
            source, copy = self._folder / path, self._project.root / path
            try:
                is_new = is_below and source.stat().st_mtime >= self._since_s
                if is_new and not (copy.exists() and copy.samefile(source)):
                    _copy(source, copy)
            except FileNotFoundError:
                continue  # the run ended before Locust wrote the file
            except OSError as error:
                logger.warning("%s cannot be written: %s", copy, error.strerror or error)

    def _written(self) -> Iterator[Path]:
        options = self._options
        yield from (Path(name) for name in (options.html_file, options.json_file) if name)
        if options.csv_prefix:
            yield from (Path(f"{options.csv_prefix}_{name}.csv") for name in CSV_FILES)


def _copy(source: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{copy.name}.", dir=copy.parent)
    os.close(handle)
    try:
        shutil.copy2(source, temporary)
        Path(temporary).replace(copy)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
