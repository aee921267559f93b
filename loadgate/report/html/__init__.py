"""report.html: one self-contained file that opens offline and starts with the verdict."""

from loadgate.report.html.embedded import run_series
from loadgate.report.html.page import html_report, linked_from

__all__ = ["html_report", "linked_from", "run_series"]
