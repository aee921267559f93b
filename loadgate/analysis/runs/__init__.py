"""Compare whole runs of two sides: what differs more than runs of one side differ from each other."""

from loadgate.analysis.runs.judge import Basis, Difference, RunValues, judge_runs

__all__ = ["Basis", "Difference", "RunValues", "judge_runs"]
