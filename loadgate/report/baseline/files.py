"""The files of baselines: one for each profile, in a folder that is committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from loadgate.errors import RequestError
from loadgate.paths import safe_name, shown_path, write_atomically
from loadgate.project import Project
from loadgate.report.baseline.measuring import measured_run
from loadgate.report.compare.sides import run_problem
from loadgate.run.document import RunDocument
from loadgate.run.document.baseline import BaselineRecord
from loadgate.run.document.stored_file import FileKind, read_file

BASELINE = FileKind(
    name="baseline.json",
    content="a baseline of loadgate",
    versions=(1,),
    repair="restore the file, or set the baseline again",
    renewal="set the baseline again",
)


class BaselineError(RequestError):
    """Raised if a baseline does not exist or cannot be made. The message is one line."""


def baseline_path(project: Project, profile: str) -> Path:
    """Return the file of a profile's baseline."""
    return project.root / project.baselines / f"{safe_name(profile)}.json"


def read_baseline(path: Path) -> BaselineRecord:
    """Read a baseline.

    Raises:
        RunFileError: There is no such file, or this version cannot read it.
    """
    return read_file(path, BASELINE, BaselineRecord.model_validate_json)


def find_baseline(project: Project, profile: str, wanted: bool | None) -> BaselineRecord | None:
    """Return the baseline that a run of a profile is compared with. None if there is none.

    `wanted`: True requires a baseline, False returns None, and None returns the profile's baseline if it exists.

    Raises:
        BaselineError: There must be a baseline, and there is none.
        RunFileError: The file cannot be read.
    """
    if wanted is False:
        return None
    path = baseline_path(project, profile)
    if path.exists():
        return read_baseline(path)
    if wanted:
        set_it = f"set one with loadgate baseline set latest --profile {profile}"
        raise BaselineError(f"{shown_path(path)}: profile {profile} has no baseline; {set_it}")
    return None


def write_baseline(project: Project, document: RunDocument, folder: Path) -> Path:
    """Write the baseline of a run's profile, and return its path.

    Raises:
        BaselineError: The run cannot be a baseline.
        OSError: The file cannot be written.
    """
    name = folder.resolve().name
    if document.made_on.fingerprint is None:
        raise BaselineError(
            f"{name} is from an older version of loadgate, which did not store the load; run the profile again"
        )
    if problem := run_problem(document):
        raise BaselineError(f"{name} {problem}, so it cannot be a baseline; give a complete run")
    if not document.totals.overall.requests:
        raise BaselineError(f"{name} has no requests, so it cannot be a baseline; give a run with requests")
    path = baseline_path(project, document.run.profile.name)
    write_atomically(path, _text(measured_run(document, name)))
    return path


def _text(record: BaselineRecord) -> str:
    """Return JSON with one line for each key, rule and scope, so that differences are readable."""
    data: dict[str, Any] = record.model_dump(mode="json")
    parts = []
    for key, value in data.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n]"
        parts.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
