"""Write the artefacts of a run. Each file is replaced atomically, so that an interrupt leaves no partial file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from loadgate.errors import CommandError
from loadgate.paths import write_atomically
from loadgate.recorder import histogram_log
from loadgate.report.beside import beside
from loadgate.report.html import html_report, linked_from, run_series
from loadgate.report.junit import junit_xml
from loadgate.report.prometheus import prometheus_text
from loadgate.report.series_csv import series_csv
from loadgate.report.summary import markdown_summary
from loadgate.run.document import RUN_FILE, RunDocument

REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.md"


class ArtefactError(CommandError, OSError):
    """Raised if files of a run could not be written. The message is one line with their names and the reason."""


DAMAGED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""Exceptions that can be raised for a document that follows its schema but has inconsistent or extreme values."""


def write_files(folder: Path, *groups: Callable[[], Mapping[str, str]]) -> None:
    """Write groups of texts, each by the name of its file. A group is made when the earlier groups are written.

    Raises:
        ArtefactError: Some files could not be written. All other files were written.
    """
    failed: dict[str, str] = {}
    for texts in groups:
        for name, text in texts().items():
            try:
                write_atomically(folder / name, text)
            except OSError as error:
                failed[name] = error.strerror or str(error)
    if failed:
        reasons = dict.fromkeys(failed.values())
        names = {reason: ", ".join(name for name in failed if failed[name] == reason) for reason in reasons}
        raise ArtefactError("; ".join(f"{names[reason]}: {reason}" for reason in reasons))


class Stored(Protocol):
    """A document that is stored as JSON."""

    def to_json(self) -> str:
        """Return the text of its file."""
        ...


DocumentT = TypeVar("DocumentT", bound=Stored)


@dataclass(frozen=True, slots=True)
class DocumentFiles(Generic[DocumentT]):
    """The files of one kind of document.

    - `stored`: the name of its JSON file, from which all other files can be made again.
    - `page`: the name of the file that people open.
    - `made_from`: returns the text of each file that is made from a document, by the name of the file. The second
      argument is the folder of the files.
    """

    stored: str
    page: str
    made_from: Callable[[DocumentT, Path], Mapping[str, str]]

    def write(self, document: DocumentT, folder: Path) -> Path:
        """Write the JSON file and the files made from it to `folder`, and return the page's path.

        The folder is created.

        Raises:
            ArtefactError: Some files could not be written. All other files were written.
        """
        # The JSON file comes first, because all other files can be made again from it.
        write_files(folder, lambda: {self.stored: document.to_json()}, lambda: self.made_from(document, folder))
        return folder / self.page

    def rebuild(self, document: DocumentT, folder: Path) -> Path:
        """Write the files made from the JSON file, and return the page's path. If one cannot be made, none is written.

        Raises:
            ArtefactError: Some files could not be written. All other files were written.
        """
        write_files(folder, lambda: self.made_from(document, folder))
        return folder / self.page


def _made_from(document: RunDocument, folder: Path) -> dict[str, str]:
    series = run_series(document)
    texts = {
        "series.csv": series_csv(document, series),
        SUMMARY_FILE: markdown_summary(document),
        "junit.xml": junit_xml(document),
        "metrics.prom": prometheus_text(document),
    }
    return {REPORT_FILE: html_report(document, series, beside(folder, [RUN_FILE, *texts], document))} | texts


RUN_FILES = DocumentFiles(RUN_FILE, REPORT_FILE, _made_from)


def append_job_summary(markdown: str) -> list[str]:
    """Append a summary to the summary page of a GitHub Actions job, if this is one. Return one line per error."""
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page and os.environ.get("GITHUB_ACTIONS") == "true":
        try:
            with Path(page).open("a", encoding="utf-8", errors="replace") as file:
                file.write(markdown)
        except OSError as error:
            return [f"cannot write the job summary {page}: {error.strerror or error}"]
    return []


def publish(folder: Path, path: Path) -> None:
    """Copy a run's report to `path`, the location of the latest report of its profile. Its links lead to the folder."""
    page = (folder / REPORT_FILE).read_text(encoding="utf-8")
    write_atomically(path, linked_from(page, os.path.relpath(folder, path.parent)))


def write_latency_log(document: RunDocument, folder: Path) -> Path:
    """Write latency.hlog, an HdrHistogram interval log by second, name and outcome. Return its path."""
    path = folder / "latency.hlog"
    write_atomically(path, "".join(f"{line}\n" for line in histogram_log(document.recording.recorder())))
    return path
