"""The end of `loadgate capacity`: the conclusion is printed even if its files cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgate.exit_codes import ExitCode
from loadgate.report.artefacts import ArtefactError
from loadgate.runner.capacity.command import _conclude
from tests.loadgate.report.capacity.searches import document


def test_the_conclusion_names_the_report(tmp_path: Path) -> None:
    said: list[str] = []
    assert _conclude(document(), tmp_path / "search", said.append) is ExitCode.PASS
    assert "PASS: sustains 184/s" in said[0]
    assert f"report: {tmp_path / 'search' / 'capacity.html'}" in " ".join(said[0].split())


def test_without_files_the_conclusion_is_printed(tmp_path: Path) -> None:
    (tmp_path / "search").write_text("a file, where the folder should be")
    said: list[str] = []
    with pytest.raises(ArtefactError, match=r"capacity\.json"):
        _conclude(document(), tmp_path / "search", said.append)
    assert "PASS: sustains 184/s" in said[0]
    assert "report:" not in said[0]
