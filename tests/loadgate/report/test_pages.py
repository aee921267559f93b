"""Test which page `loadgate open` opens, and that each wrong name is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgate.errors import RequestError
from loadgate.paths import COMPARISONS, RUNS, SEARCHES
from loadgate.report.artefacts import RUN_FILES
from loadgate.report.pages import report_page
from tests.support.synthetic_run import Synthetic, synthetic_document


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("reports")
    for day in (1, 2):
        folder = reports / RUNS / f"2026050{day}T120000Z-light"
        folder.mkdir(parents=True)
        RUN_FILES.write(synthetic_document(Synthetic(duration_s=10, names=2)), folder)
    for kind, page in ((COMPARISONS, "ab.html"), (SEARCHES, "capacity.html")):
        (reports / kind / "20260503T120000Z-light").mkdir(parents=True)
        (reports / kind / "20260503T120000Z-light" / page).touch()
    return reports


def test_a_name_gives_the_page_of_a_run(reports: Path) -> None:
    newest = reports / RUNS / "20260502T120000Z-light" / "report.html"
    older = reports / RUNS / "20260501T120000Z-light" / "report.html"
    assert report_page("latest", reports) == newest
    assert report_page("latest-1", reports) == older
    for name in ("20260501T120000Z-light", str(older), str(older.parent), str(older.with_name("run.json"))):
        assert report_page(name, reports) == older


@pytest.mark.parametrize(("kind", "page"), [(COMPARISONS, "ab.html"), (SEARCHES, "capacity.html")])
def test_a_folder_gives_the_page_of_a_comparison_or_a_search(reports: Path, kind: str, page: str) -> None:
    folder = reports / kind / "20260503T120000Z-light"
    assert report_page(str(folder), reports) == folder / page


def test_a_missing_run_and_a_missing_page_are_one_line(reports: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no run 'nowhere'"):
        report_page("nowhere", reports)
    with pytest.raises(RequestError, match="no run 'latest': there are no runs of profile heavy"):
        report_page("latest", reports, "heavy")
    folder = tmp_path / "20260501T120000Z-light"
    folder.mkdir()
    (folder / "run.json").write_bytes((reports / RUNS / "20260502T120000Z-light" / "run.json").read_bytes())
    with pytest.raises(RequestError, match=r"there is no report\.html; write it with: loadgate report ") as error:
        report_page(str(folder), reports)
    assert "\n" not in str(error.value)
