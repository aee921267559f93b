"""The files of a comparison."""

from __future__ import annotations

from pathlib import Path

from loadgate.report.ab.document import AB_FILE, AbDocument
from loadgate.report.ab.page import html_page
from loadgate.report.ab.summary import markdown_summary
from loadgate.report.artefacts import SUMMARY_FILE, DocumentFiles

PAGE_FILE = "ab.html"


def _made_from(document: AbDocument, _: Path) -> dict[str, str]:
    return {PAGE_FILE: html_page(document), SUMMARY_FILE: markdown_summary(document)}


COMPARISON_FILES = DocumentFiles(AB_FILE, PAGE_FILE, _made_from)
