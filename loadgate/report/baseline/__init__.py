"""Baselines: files with the values of one run, and the changes of later runs."""

from loadgate.report.baseline.changes import changes_since
from loadgate.report.baseline.files import BaselineError, baseline_path, find_baseline, read_baseline, write_baseline
from loadgate.report.baseline.last_run import last_comparable_run
from loadgate.report.baseline.measuring import measured_run
from loadgate.report.baseline.text import baseline_line, changes_lines, with_baseline

__all__ = [
    "BaselineError",
    "baseline_line",
    "baseline_path",
    "changes_lines",
    "changes_since",
    "find_baseline",
    "last_comparable_run",
    "measured_run",
    "read_baseline",
    "with_baseline",
    "write_baseline",
]
