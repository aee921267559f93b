"""`loadgate compare`: how the values of runs changed, and whether runs of one side differ as much from each other."""

from loadgate.report.compare.result import RunComparison, compare_runs
from loadgate.report.compare.sides import ComparedRun, CompareError, check_sides
from loadgate.report.compare.text import comparison_json, comparison_text

__all__ = [
    "CompareError",
    "ComparedRun",
    "RunComparison",
    "check_sides",
    "compare_runs",
    "comparison_json",
    "comparison_text",
]
