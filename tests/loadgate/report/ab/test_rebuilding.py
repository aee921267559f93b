"""Test that the files of a comparison are written, and written again from ab.json alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgate.errors import RequestError
from loadgate.paths import ReportFolderError
from loadgate.report.ab.artefacts import COMPARISON_FILES
from loadgate.report.ab.document import AB_FILE
from loadgate.report.rebuilding import rebuild
from loadgate.run.document import RunFileError
from tests.loadgate.report.ab.documents import KINDS, failed


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", ["", AB_FILE])
def test_the_same_files_are_written_again(kind: str, given: str, tmp_path: Path) -> None:
    page = COMPARISON_FILES.write(KINDS[kind](), tmp_path / "ab")
    written = contents(tmp_path / "ab")
    for name in written.keys() - {AB_FILE}:
        (tmp_path / "ab" / name).unlink()
    assert rebuild(tmp_path / "ab" / given) == [page]
    assert contents(tmp_path / "ab") == written


def test_a_comparison_has_no_log_of_latencies(tmp_path: Path) -> None:
    COMPARISON_FILES.write(failed(), tmp_path)
    with pytest.raises(RequestError, match=r"a comparison has no log of latencies; give the folder of one of its seg"):
        rebuild(tmp_path, with_latency_log=True)


def test_a_damaged_comparison_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / AB_FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(RunFileError, match=r"ab\.json: not a comparison of loadgate: it has no schema_version; "):
        rebuild(tmp_path)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    COMPARISON_FILES.write(failed(), tmp_path)
    (tmp_path / "summary.md").unlink()
    (tmp_path / "summary.md").mkdir()
    with pytest.raises(ReportFolderError, match=r"the files cannot be written: summary\.md: Is a directory$"):
        rebuild(tmp_path)
