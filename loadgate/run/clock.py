"""The clock of a run, by which all its times are recorded."""

from __future__ import annotations

import time

from loadgate.run.document.environment import ClockRecord


class RunClock:
    """The clock of the process that determines the verdict. Other processes convert their times to it."""

    def now_s(self) -> float:
        """Return the time in epoch seconds."""
        return time.time()

    def shift_s(self) -> float:
        """Return the seconds to add to a time of this process's clock."""
        return 0.0

    def record(self) -> ClockRecord | None:
        """Return the comparison with the master's clock. `None` for the master and for a single process."""
        return None
