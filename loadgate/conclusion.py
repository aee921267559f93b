"""The end of a run: judge it, write its artefacts, and say what came of it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadgate.artefacts import append_job_summary, write_artefacts
from loadgate.console import verdict_text
from loadgate.exit_codes import ExitCode
from loadgate.judgement import exit_code, judge
from loadgate.places import RUN_FOLDER_VARIABLE, run_folder, shown_path
from loadgate.project import Project
from loadgate.run_document import run_document
from loadgate.run_state import Run


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What came of a run."""

    code: ExitCode
    text: str
    folder: Path
    verdict: Mapping[str, Any]
    """As in run.json."""


def conclude(run: Run, project: Project) -> Conclusion:
    """Judge a run that is over and write what it leaves behind."""
    run.ended_s = time.time()
    verdict = judge(run.plan.rules, run.recorder, run.facts())
    folder = run_folder(project, run.plan.profile.name, run.started_s)
    document = run_document(run, verdict, project.root)
    report = write_artefacts(document, folder)
    if RUN_FOLDER_VARIABLE not in os.environ:
        # `loadgate run` may yet change the verdict, and does it itself.
        append_job_summary(document)
    text = verdict_text(document, shown_path(report))
    return Conclusion(exit_code(verdict.outcome), text, folder, document["verdict"])
