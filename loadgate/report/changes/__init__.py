"""`loadgate history --changes`: where the values of rules changed in the history of runs."""

from loadgate.report.changes.series import MAX_RUNS, examine
from loadgate.report.changes.text import changes_json, changes_text

__all__ = ["MAX_RUNS", "changes_json", "changes_text", "examine"]
