"""The end of a run: judge it, write its artefacts, and say what came of it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadgate.exit_codes import ExitCode
from loadgate.paths import RUN_FOLDER_VARIABLE, PlaceError, run_folder, shown_path
from loadgate.project import Project
from loadgate.report.artefacts import REPORT_FILE, UnwrittenError, append_job_summary, write_artefacts
from loadgate.report.console import terminal_columns, verdict_text
from loadgate.run.document import RUN_FILE, RunDocument
from loadgate.run.document.making import made_on
from loadgate.run.document.writing import run_document
from loadgate.run.judgement import exit_code, judge
from loadgate.run.state import Run


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What came of a run."""

    code: ExitCode
    text: str
    report: Path | None
    """`None` where it could not be written."""
    document: RunDocument
    folder: Path | None


def conclude(run: Run, project: Project, before: Conclusion | None = None) -> Conclusion:
    """Judge a run that is over and write what it leaves behind; what cannot be written is said below the verdict.

    `before` is an earlier conclusion of the same run, which this one replaces.
    """
    run.ended_s = run.ended_s or time.time()
    verdict = judge(run.plan.rules, run.recorder, run.facts())
    code = exit_code(verdict.outcome)
    document = run_document(run, verdict, made_on(project.root))
    folder, problems = _leave(document, project, run, before.folder if before is not None else None)
    if code is ExitCode.PASS and (folder is None or not (folder / RUN_FILE).is_file()):
        code = ExitCode.ERROR
        problems.append(f"there is no {RUN_FILE} to show that the run has passed: exit code {code}")
    report = folder / REPORT_FILE if folder is not None and (folder / REPORT_FILE).is_file() else None
    # `loadgate run` copies the report to another place, and says where.
    shown = None if report is None or RUN_FOLDER_VARIABLE in os.environ else shown_path(report)
    text = verdict_text(document, shown, terminal_columns(os.environ))
    text += "".join(f"loadgate: {problem}\n" for problem in problems)
    return Conclusion(code, text, report, document, folder)


def show(conclusion: Conclusion, remarks: Sequence[str] = ()) -> None:
    """Print the verdict, with more lines below it, and add it to the page of a CI job. Once a run."""
    # `loadgate run` may yet change the verdict, and does it itself.
    problems = [] if RUN_FOLDER_VARIABLE in os.environ else append_job_summary(conclusion.document)
    lines = "".join(f"loadgate: {line}\n" for line in (*problems, *remarks))
    print(conclusion.text + lines, flush=True)


def _leave(document: RunDocument, project: Project, run: Run, folder: Path | None) -> tuple[Path | None, list[str]]:
    """Write the run's files; return their folder, if there is one, and what could not be written, a line each."""
    try:
        folder = folder or run_folder(project, run.plan.profile.name, run.started_s)
    except PlaceError as error:
        return None, [str(error)]
    try:
        write_artefacts(document, folder)
    except UnwrittenError as error:
        later = f"; make them later: loadgate report {shown_path(folder)}" if (folder / RUN_FILE).is_file() else ""
        return folder, [f"not written: {error}{later}"]
    return folder, []
