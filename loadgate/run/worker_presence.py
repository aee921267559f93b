"""The presence of the workers of a run, and the notes on workers whose load or measurements are incomplete."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgate.units import clock


@dataclass(slots=True)
class WorkerPresence:
    """The workers of one run by their label. Times are in seconds since the start of the run."""

    lost: dict[str, str] = field(default_factory=dict)
    """A sentence for each worker that was lost or left before the end."""
    stopped_by_suite: set[str] = field(default_factory=set)
    """Workers that the code of the suite stopped."""
    finished: set[str] = field(default_factory=set)
    """Workers whose final report has arrived."""
    away: list[str] = field(default_factory=list)
    """A sentence for each temporary absence of a worker."""
    _heard_s: dict[str, float] = field(default_factory=dict)
    _away_since_s: dict[str, float] = field(default_factory=dict)

    def mark_missing(self, worker: str) -> None:
        """Note that a worker's heartbeats have stopped."""
        self._away_since_s.setdefault(worker, self._heard_s.get(worker, 0.0))
        self.lost[worker] = (
            f"worker {worker} was lost during the run, so its load stopped early and its last requests are missing"
        )

    def mark_present(self, worker: str, now_s: float, *, is_heard: bool) -> None:
        """Note that a worker is present. `is_heard` says whether its heartbeat is recent."""
        since_s = self._away_since_s.pop(worker, None)
        if since_s is not None:
            del self.lost[worker]
            self.away.append(
                f"worker {worker} was away from {clock(since_s)} to {clock(now_s)} of the run, so the load may have "
                "been lower than planned in that time"
            )
        if is_heard:
            self._heard_s[worker] = now_s

    def mark_left(self, worker: str, *, by_suite: bool) -> None:
        """Note that a worker has left: it has sent its final report before the end of the load."""
        self._away_since_s.pop(worker, None)
        how = "was stopped by the suite" if by_suite else "left"
        self.lost[worker] = f"worker {worker} {how} during the run, so its load stopped early"
        if by_suite:
            self.stopped_by_suite.add(worker)
