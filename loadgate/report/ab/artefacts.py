"""Write the files of a comparison."""

from __future__ import annotations

from pathlib import Path

from loadgate.report.ab.document import AB_FILE, AbDocument
from loadgate.report.ab.page import html_page
from loadgate.report.ab.summary import markdown_summary
from loadgate.report.artefacts import SUMMARY_FILE, write_files

PAGE_FILE = "ab.html"


def write_comparison(document: AbDocument, folder: Path) -> Path:
    """Write ab.json and the files made from it to `folder`, and return the path of the page. The folder is created.

    Raises:
        ArtefactError: Some files could not be written. All other files were written.
    """
    write_files(folder, lambda: {AB_FILE: document.to_json()}, lambda: _made_from(document))
    return folder / PAGE_FILE


def rebuild_comparison(document: AbDocument, folder: Path) -> Path:
    """Write the files made from ab.json and return the path of the page. If one cannot be made, none is written.

    Raises:
        ArtefactError: Some files could not be written. All other files were written.
    """
    write_files(folder, lambda: _made_from(document))
    return folder / PAGE_FILE


def _made_from(document: AbDocument) -> dict[str, str]:
    return {PAGE_FILE: html_page(document), SUMMARY_FILE: markdown_summary(document)}
