"""What a disturbance left behind in the resources of the target, such as memory or open connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from loadgate.analysis.quantity_text import amount, subject
from loadgate.analysis.recovery.band import DEVIATIONS, MAD_SCALE
from loadgate.analysis.traffic import Span, StageSpans
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceSeries

LAST_S = 30.0
"""The level after a disturbance is that of this time before the end."""

MIN_VALUES = 5


@dataclass(frozen=True, slots=True)
class LeftOver:
    """The median level of a quantity before a disturbance, and at the end of the time after it.

    `is_clear` means that the difference exceeds three scaled median absolute deviations of the level before.
    """

    column: ResourceColumn
    before: float
    after: float
    is_clear: bool

    @property
    def difference(self) -> float:
        """Return the level after minus that before."""
        return self.after - self.before


def left_over(series: Sequence[ResourceSeries], spans: StageSpans) -> list[LeftOver]:
    """Return the levels before and after a disturbance. Flows, and levels with too few values, are left out."""
    last = Span(max(spans.after.start_s, spans.after.end_s - LAST_S), spans.after.end_s)
    found: list[LeftOver] = []
    for one in series:
        if one.column.kind is not ColumnKind.LEVEL:
            continue
        before = one.between(spans.before.start_s, spans.before.end_s).values
        after = one.between(last.start_s, last.end_s).values
        if min(len(before), len(after)) < MIN_VALUES:
            continue
        usual, now = median(before), median(after)
        noise = DEVIATIONS * MAD_SCALE * median(abs(value - usual) for value in before)
        found.append(LeftOver(one.column, usual, now, is_clear=abs(now - usual) > noise))
    return found


def left_over_sentence(found: LeftOver, stage: str) -> str:
    """Return the sentence about a quantity that `stage` changed."""
    before, after, change = (
        amount(found.column, value) for value in (found.before, found.after, abs(found.difference))
    )
    direction = "higher" if found.difference > 0 else "lower"
    return f"{subject(found.column)} ended {change} {direction} than before {stage} ({after} instead of {before})."
