"""Find the page that people open: that of a run, a comparison or a search for the capacity."""

from __future__ import annotations

from pathlib import Path

from loadgate.errors import RequestError
from loadgate.paths import RUNS, shown_path
from loadgate.report.ab.artefacts import PAGE_FILE as COMPARISON_PAGE
from loadgate.report.artefacts import REPORT_FILE
from loadgate.report.capacity.artefacts import PAGE_FILE as SEARCH_PAGE
from loadgate.report.run_names import named_run

PAGES = (REPORT_FILE, COMPARISON_PAGE, SEARCH_PAGE)


def report_page(name: str, reports: Path, profile: str | None = None) -> Path:
    """Return the page of a run, or of the folder of a comparison or a search.

    `reports` is the folder of all reports. The names of runs are those of `named_run`.

    Raises:
        RequestError: There is no such run or folder, or it has no page.
        RunFileError: The run.json cannot be read.
    """
    folder = Path(name)
    if (page := _page_in(folder)) is not None:
        return page
    folder, _ = named_run(name, reports / RUNS, profile)
    if (page := _page_in(folder)) is not None:
        return page
    shown = shown_path(folder)
    raise RequestError(f"{shown}: there is no {REPORT_FILE}; write it with: loadgate report {shown}")


def _page_in(folder: Path) -> Path | None:
    if folder.name in PAGES and folder.is_file():
        return folder
    return next((page for file in PAGES if (page := folder / file).is_file()), None)
