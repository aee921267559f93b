"""Writes what a run leaves behind; each file is replaced as a whole, so that no interruption leaves half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from loadgate.errors import CommandError
from loadgate.recorder import histogram_log
from loadgate.report.html import html_report, run_series
from loadgate.report.junit import junit_xml
from loadgate.report.prometheus import prometheus_text
from loadgate.report.series_csv import series_csv
from loadgate.report.summary import markdown_summary
from loadgate.run.document import RUN_FILE, RunDocument

REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.md"


class UnwrittenError(CommandError, OSError):
    """Files of a run could not be written; the message is one line that names them and says why."""


DAMAGED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What a document may raise whose parts are as its schema says, but do not fit together or lie beyond all reason."""


def write_artefacts(document: RunDocument, folder: Path) -> Path:
    """Write run.json and all that is made from it into `folder`, which is made; return the report's path.

    Raises:
        UnwrittenError: some of them could not be written; all others are there.
    """
    # At once, whatever becomes of the others.
    failed = _write_each({RUN_FILE: document.to_json()}, folder)
    _complain_of(failed | _write_each(_made_from(document), folder))
    return folder / REPORT_FILE


def rebuild_artefacts(document: RunDocument, folder: Path) -> Path:
    """Write all that is made from run.json; return the report's path. Nothing is written where one cannot be made.

    Raises:
        UnwrittenError: some of them could not be written; all others are there.
    """
    _complain_of(_write_each(_made_from(document), folder))
    return folder / REPORT_FILE


def _made_from(document: RunDocument) -> dict[str, str]:
    series = run_series(document)
    return {
        REPORT_FILE: html_report(document, series),
        "series.csv": series_csv(document, series),
        "junit.xml": junit_xml(document),
        SUMMARY_FILE: markdown_summary(document),
        "metrics.prom": prometheus_text(document),
    }


def _write_each(texts: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Write the files, and return for each that cannot be written why."""
    failed = {}
    for name, text in texts.items():
        try:
            write_whole(folder / name, text)
        except OSError as error:
            failed[name] = error.strerror or str(error)
    return failed


def _complain_of(failed: Mapping[str, str]) -> None:
    if failed:
        reasons = dict.fromkeys(failed.values())
        names = {reason: ", ".join(name for name in failed if failed[name] == reason) for reason in reasons}
        raise UnwrittenError("; ".join(f"{names[reason]}: {reason}" for reason in reasons))


def append_job_summary(document: RunDocument) -> list[str]:
    """Show the verdict on the page of a GitHub Actions job, where this is one; return what went wrong, a line each."""
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page and os.environ.get("GITHUB_ACTIONS") == "true":
        try:
            with Path(page).open("a", encoding="utf-8", errors="replace") as file:
                file.write(markdown_summary(document))
        except OSError as error:
            return [f"the job's summary cannot be written: {page}: {error.strerror or error}"]
    return []


def publish(folder: Path, path: Path) -> None:
    """Copy a run's report to the place where people look for a profile's latest."""
    write_whole(path, (folder / REPORT_FILE).read_text(encoding="utf-8"))


def write_latency_log(document: RunDocument, folder: Path) -> Path:
    """Write latency.hlog, an HdrHistogram interval log of every second, name and outcome; return its path."""
    path = folder / "latency.hlog"
    write_whole(path, "".join(f"{line}\n" for line in histogram_log(document.recording.recorder())))
    return path


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place and rename it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
