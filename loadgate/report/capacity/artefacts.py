"""The files of a search."""

from __future__ import annotations

from pathlib import Path

from loadgate.report.artefacts import SUMMARY_FILE, DocumentFiles
from loadgate.report.capacity.document import CAPACITY_FILE, CapacityDocument
from loadgate.report.capacity.page import html_page
from loadgate.report.capacity.summary import markdown_summary

PAGE_FILE = "capacity.html"


def _made_from(document: CapacityDocument, _: Path) -> dict[str, str]:
    return {PAGE_FILE: html_page(document), SUMMARY_FILE: markdown_summary(document)}


SEARCH_FILES = DocumentFiles(CAPACITY_FILE, PAGE_FILE, _made_from)
