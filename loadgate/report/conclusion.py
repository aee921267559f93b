"""The end of a run: determine the verdict, write the artefacts, and print the result."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadgate.exit_codes import ExitCode
from loadgate.paths import RUN_FOLDER_VARIABLE, ReportFolderError, run_folder, shown_path
from loadgate.project import Project
from loadgate.report.artefacts import REPORT_FILE, RUN_FILES, ArtefactError, append_job_summary
from loadgate.report.console import verdict_text
from loadgate.report.current_environment import current_environment
from loadgate.report.summary import markdown_summary
from loadgate.run.document import RUN_FILE, RunDocument
from loadgate.run.document.writing import run_document
from loadgate.run.judgement import exit_code, judge
from loadgate.run.state import Run
from loadgate.terminal import decorated, terminal_columns


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The result of a run."""

    code: ExitCode
    text: str
    report: Path | None
    """`None` if it could not be written."""
    document: RunDocument
    folder: Path | None


def conclude(run: Run, project: Project, before: Conclusion | None = None) -> Conclusion:
    """Determine the verdict of a finished run and write its artefacts. Write errors are printed below the verdict.

    `before` is an earlier conclusion of the same run, which this one replaces.
    """
    ended_s = time.time() if before is None else before.document.run.ended_s
    verdict = judge(run.plan.rules, run.recorder, run.facts())
    code = exit_code(verdict.outcome)
    document = run_document(run, verdict, current_environment(project.root, run.plan), ended_s)
    folder, problems = _write_files(document, project, run, before.folder if before is not None else None)
    if code is ExitCode.PASS and (folder is None or not (folder / RUN_FILE).is_file()):
        code = ExitCode.ERROR
        problems.append(f"exit code {code}, because there is no {RUN_FILE} to prove that the run passed")
    report = folder / REPORT_FILE if folder is not None and (folder / REPORT_FILE).is_file() else None
    # `loadgate run` copies the report and prints the path of the copy.
    shown = None if report is None or RUN_FOLDER_VARIABLE in os.environ else shown_path(report)
    text = verdict_text(document, shown, terminal_columns(os.environ))
    text += "".join(f"loadgate: {problem}\n" for problem in problems)
    return Conclusion(code, text, report, document, folder)


def show(conclusion: Conclusion, remarks: Sequence[str] = ()) -> None:
    """Print the verdict and the remarks, and add the verdict to the summary page of a CI job. Call it once per run."""
    # `loadgate run` can still change the verdict, so it adds the summary itself.
    problems = [] if RUN_FOLDER_VARIABLE in os.environ else append_job_summary(markdown_summary(conclusion.document))
    lines = "".join(f"loadgate: {line}\n" for line in (*problems, *remarks))
    print(decorated(conclusion.text, sys.stdout, os.environ) + lines, flush=True)


def _write_files(
    document: RunDocument, project: Project, run: Run, folder: Path | None
) -> tuple[Path | None, list[str]]:
    """Write the run's files. Return their folder, if any, and one line for each error."""
    try:
        folder = folder or run_folder(project, run.plan.profile.name, run.started_s)
    except ReportFolderError as error:
        return None, [str(error)]
    try:
        RUN_FILES.write(document, folder)
    except ArtefactError as error:
        later = (
            f"; write them later with: loadgate report {shown_path(folder)}" if (folder / RUN_FILE).is_file() else ""
        )
        return folder, [f"not written: {error}{later}"]
    return folder, []
