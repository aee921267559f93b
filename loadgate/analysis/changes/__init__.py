"""Change points in the values that runs give one after the other: E-divisive with the energy statistic."""

from loadgate.analysis.changes.detect import Change, ChangeLimits, find_changes
from loadgate.analysis.changes.suspicion import Suspicion, suspect_newest

__all__ = ["Change", "ChangeLimits", "Suspicion", "find_changes", "suspect_newest"]
