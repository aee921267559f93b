"""What the rules read of a recorder."""

from collections.abc import Collection
from typing import Protocol

from loadgate.recorder import OVERALL, TimeSlot, Totals


class RecorderView(Protocol):
    """A recorder, or a part of what it holds."""

    def groups(self) -> list[str]:
        """Groups with requests."""

    def names(self) -> list[str]:
        """Request names."""

    def stages(self) -> list[str]:
        """Stages with requests."""

    def span_s(self) -> tuple[int, int] | None:
        """[first, end) of the seconds with requests."""

    def totals(self, scope: str = OVERALL, stages: Collection[str] | None = None) -> Totals:
        """All requests of a scope."""

    def time_slots(
        self, scope: str = OVERALL, stages: Collection[str] | None = None, since_s: int = 0
    ) -> list[TimeSlot]:
        """The requests of a scope per second."""
