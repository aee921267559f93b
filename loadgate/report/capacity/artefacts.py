"""Write the files of a search."""

from __future__ import annotations

from pathlib import Path

from loadgate.report.artefacts import SUMMARY_FILE, write_files
from loadgate.report.capacity.document import CAPACITY_FILE, CapacityDocument
from loadgate.report.capacity.page import html_page
from loadgate.report.capacity.summary import markdown_summary

PAGE_FILE = "capacity.html"


def write_search(document: CapacityDocument, folder: Path) -> Path:
    """Write capacity.json and the files made from it to `folder`, and return the path of the page.

    Raises:
        ArtefactError: Some files could not be written. All other files were written.
    """
    write_files(folder, lambda: {CAPACITY_FILE: document.to_json()}, lambda: _made_from(document))
    return folder / PAGE_FILE


def rebuild_search(document: CapacityDocument, folder: Path) -> Path:
    """Write the files made from capacity.json and return the path of the page. If one cannot be made, none is written.

    Raises:
        ArtefactError: Some files could not be written. All other files were written.
    """
    write_files(folder, lambda: _made_from(document))
    return folder / PAGE_FILE


def _made_from(document: CapacityDocument) -> dict[str, str]:
    return {PAGE_FILE: html_page(document), SUMMARY_FILE: markdown_summary(document)}
