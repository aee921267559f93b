"""Test ab.json: it is read as it was written, and a file that cannot be read gives one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadgate.exit_codes import ExitCode
from loadgate.report.ab.document import AB_FILE, AbDocument
from loadgate.run.document import RunFileError
from tests.loadgate.report.ab.documents import KINDS, failed, passed, undecided


@pytest.mark.parametrize("kind", KINDS)
def test_a_comparison_is_read_as_it_was_written(kind: str, tmp_path: Path) -> None:
    document = KINDS[kind]()
    (tmp_path / AB_FILE).write_text(document.to_json(), encoding="utf-8")
    assert AbDocument.read(tmp_path) == document
    assert AbDocument.read(tmp_path / AB_FILE) == document


@pytest.mark.parametrize(
    ("document", "code"), [(passed, ExitCode.PASS), (failed, ExitCode.FAIL), (undecided, ExitCode.INCONCLUSIVE)]
)
def test_the_outcome_decides_the_exit_code(document: Callable[[], AbDocument], code: ExitCode) -> None:
    assert document().exit_code is code


def _without_rules(data: dict[str, Any]) -> None:
    del data["result"]["rules"]


def _with_text(data: dict[str, Any]) -> None:
    data["result"]["rules"][0]["measure"]["percentile"] = "95"


def _with_other_outcome(data: dict[str, Any]) -> None:
    data["result"]["rules"][1]["outcome"] = "maybe"


def _newer(data: dict[str, Any]) -> None:
    data["schema_version"] = 2


def _of_another_program(data: dict[str, Any]) -> None:
    data.clear()


@pytest.mark.parametrize(
    ("damaging", "problem"),
    [
        (_without_rules, "damaged: .result.rules is missing; restore the file, or delete the folder"),
        (_with_text, 'damaged: .result.rules[0].measure.percentile should be a valid number, not "95"; restore'),
        (_with_other_outcome, "damaged: .result.rules[1].outcome should be 'pass', 'fail' or 'inconclusive', not"),
        (_newer, "written by a newer version of loadgate: its schema version is 2, and this loadgate reads version 1;"),
        (_of_another_program, "not a comparison of loadgate: it has no schema_version; restore"),
    ],
)
def test_a_file_that_cannot_be_read_gives_one_line(
    damaging: Callable[[dict[str, Any]], None], problem: str, tmp_path: Path
) -> None:
    data = json.loads(passed().to_json())
    damaging(data)
    (tmp_path / AB_FILE).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RunFileError) as refused:
        AbDocument.read(tmp_path)
    line = str(refused.value)
    assert line.startswith(f"{tmp_path / AB_FILE}: {problem}")
    assert len(line.splitlines()) == 1
    assert refused.value.exit_code is ExitCode.USAGE


def test_a_cut_file_and_a_missing_file_give_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"ab\.json: No such file or directory$"):
        AbDocument.read(tmp_path)
    (tmp_path / AB_FILE).write_text(passed().to_json()[:500], encoding="utf-8")
    with pytest.raises(RunFileError, match=r"ab\.json: not JSON: EOF .*; restore the file, or delete .* comparison$"):
        AbDocument.read(tmp_path)


def test_unknown_keys_of_a_newer_version_are_ignored(tmp_path: Path) -> None:
    data = json.loads(passed().to_json())
    data["new"] = data["result"]["new"] = data["result"]["rules"][0]["new"] = 1
    (tmp_path / AB_FILE).write_text(json.dumps(data), encoding="utf-8")
    assert AbDocument.read(tmp_path) == passed()


def test_a_document_of_an_older_version_has_no_absolute_margin(tmp_path: Path) -> None:
    data = json.loads(passed().to_json())
    assert data["plan"].pop("ignore_ms") == 0.5
    (tmp_path / AB_FILE).write_text(json.dumps(data), encoding="utf-8")
    assert AbDocument.read(tmp_path).plan.margins.ignore_ms == 0
