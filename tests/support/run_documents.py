"""Run documents with other values than a run would give them."""

from __future__ import annotations

import json
from typing import Any

from loadgate.run.document import EnvironmentRecord, GitRecord, MachineRecord, RunDocument
from loadgate.run.document.writing import run_document
from loadgate.run.judgement import judge
from loadgate.run.state import Run

MADE_ON = EnvironmentRecord(
    git=GitRecord(commit="8f14e45fceea167a5a36dedd4bea2543a1b2c3d4", branch="main", changed=False),
    machine=MachineRecord(name="laptop", system="Linux", processor="x86_64", cores=2, memory_bytes=2**33),
    versions={"python": "3.13.1", "locust": "2.47.0"},
)


def judged(run: Run, waited_s: float = 0.5) -> RunDocument:
    """The document of a run that is over, which has waited this long for its last responses."""
    ended_s = run.started_s + run.elapsed_s + waited_s
    return run_document(run, judge(run.plan.rules, run.recorder, run.facts()), MADE_ON, ended_s)


def stored(document: RunDocument) -> RunDocument:
    """The document as it comes back from run.json."""
    return RunDocument.model_validate_json(document.to_json())


def as_json(document: RunDocument) -> dict[str, Any]:
    """The document as a program that knows nothing of the model reads it."""
    data: dict[str, Any] = json.loads(document.to_json())
    return data


def document_of(data: dict[str, Any]) -> RunDocument:
    """The document of such data."""
    return RunDocument.model_validate(data, strict=False)
