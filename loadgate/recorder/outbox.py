"""The reports of a worker that its master has not acknowledged yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_KEPT = 8
"""Number of unacknowledged reports after which no more are made. The recorder then keeps what is measured."""

CONFIRM_S = 2.0
"""If the master was heard from this long after a report was sent, the report or its acknowledgement was lost."""


@dataclass(slots=True)
class _Kept:
    report: Mapping[str, Any]
    sent_s: float | None = None


class Outbox:
    """Keeps numbered reports until they are acknowledged. Times are in seconds of any one clock.

    A report is sent again only if the master was heard from after it was sent. While the connection is down, the
    messages wait in the queue of the connection, and copies would only make the queue longer.
    """

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def is_full(self) -> bool:
        """Return whether the next report has to wait. Only the final report does not."""
        return len(self._kept) >= MAX_KEPT

    def keep(self, sequence: int, report: Mapping[str, Any]) -> None:
        """Keep a report with its sequence number."""
        self._kept[sequence] = _Kept(report)

    def acknowledge(self, sequence: int) -> None:
        """Remove a report that has arrived. A second acknowledgement does nothing."""
        self._kept.pop(sequence, None)

    def due(self, heard_s: float) -> list[int]:
        """Return the numbers of the reports to send now. `heard_s` is when the master was last heard from."""
        return [
            sequence
            for sequence, kept in self._kept.items()
            if kept.sent_s is None or heard_s - kept.sent_s >= CONFIRM_S
        ]

    def take_out(self, sequence: int, now_s: float) -> Mapping[str, Any]:
        """Return a report to send now, and keep it."""
        kept = self._kept[sequence]
        kept.sent_s = now_s
        return kept.report

    def clear(self) -> None:
        """Remove all reports."""
        self._kept.clear()
