"""The methods of a recorder that rules read."""

from collections.abc import Collection
from typing import Protocol

from loadgate.recorder import OVERALL, InFlight, TimeSlot, Totals


class RecorderView(Protocol):
    """A recorder, or a part of its data."""

    def groups(self) -> list[str]:
        """Return the groups that have requests."""

    def names(self) -> list[str]:
        """Return the request names."""

    def stages(self) -> list[str]:
        """Return the stages that have requests."""

    def span_s(self) -> tuple[int, int] | None:
        """Return the first second with requests and the second after the last one."""

    def totals(self, scope: str = OVERALL, stages: Collection[str] | None = None) -> Totals:
        """Return the totals of a scope."""

    def time_slots(
        self, scope: str = OVERALL, stages: Collection[str] | None = None, since_s: int = 0
    ) -> list[TimeSlot]:
        """Return the totals of a scope per second."""

    def requests_between(self, first_s: int, end_s: int) -> int:
        """Return the number of requests in the slots that start in [first_s, end_s)."""

    def in_flight(self, scope: str = OVERALL) -> list[InFlight]:
        """Return the mean number of requests in flight per second."""
