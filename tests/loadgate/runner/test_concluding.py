"""The end of `loadgate capacity` and `loadgate ab`: the conclusion is printed even if its files cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loadgate.report.ab.artefacts import COMPARISON_FILES
from loadgate.report.ab.text import ab_text
from loadgate.report.artefacts import ArtefactError
from loadgate.report.capacity.artefacts import SEARCH_FILES
from loadgate.report.capacity.text import capacity_text
from loadgate.runner.concluding import conclude
from loadgate.runner.run import Say
from tests.loadgate.report.ab import documents
from tests.loadgate.report.capacity import searches


def concluded_search(folder: Path, say: Say) -> None:
    conclude(searches.document(), folder, SEARCH_FILES, capacity_text, say)


def concluded_comparison(folder: Path, say: Say) -> None:
    judged = documents.result([documents.change()])
    conclude(documents.document(judged), folder, COMPARISON_FILES, ab_text, say)


BOTH = pytest.mark.parametrize(
    ("concluded", "stored", "page", "sentence"),
    [
        (concluded_search, "capacity.json", "capacity.html", "PASS: sustains 184/s"),
        (concluded_comparison, "ab.json", "ab.html", "PASS: no rule is more than 10 % slower"),
    ],
)


@BOTH
def test_the_conclusion_names_the_report(
    tmp_path: Path, concluded: Callable[[Path, Say], None], stored: str, page: str, sentence: str
) -> None:
    said: list[str] = []
    concluded(tmp_path / "found", said.append)
    text = " ".join(said[0].split())
    assert sentence in text
    assert f"report: {tmp_path / 'found' / page}" in text
    assert (tmp_path / "found" / stored).exists()


@BOTH
def test_without_files_the_conclusion_is_printed(
    tmp_path: Path, concluded: Callable[[Path, Say], None], stored: str, page: str, sentence: str
) -> None:
    (tmp_path / "found").write_text("a file, where the folder should be")
    said: list[str] = []
    with pytest.raises(ArtefactError, match=stored):
        concluded(tmp_path / "found", said.append)
    assert sentence in " ".join(said[0].split())
    assert page not in said[0]
