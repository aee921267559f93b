"""Which workers of a run were there, and when: what the verdict says of those whose load or figures are not whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgate.units import clock


@dataclass(slots=True)
class Attendance:
    """The workers of one run, by their label. Times are in seconds of the run."""

    lost: dict[str, str] = field(default_factory=dict)
    """What happened to a worker that did not stay until the end, one sentence each."""
    stopped_by_suite: set[str] = field(default_factory=set)
    """Workers that the suite's own code stopped."""
    finished: set[str] = field(default_factory=set)
    """Workers whose last report is there."""
    away: list[str] = field(default_factory=list)
    """A sentence for each time that a worker was not heard of and came back."""
    _heard_s: dict[str, float] = field(default_factory=dict)
    _away_since_s: dict[str, float] = field(default_factory=dict)

    def note_away(self, worker: str) -> None:
        """Note that a worker is not heard of any more."""
        self._away_since_s.setdefault(worker, self._heard_s.get(worker, 0.0))
        self.lost[worker] = (
            f"worker {worker} was lost during the run: it made no load from then on, and its last requests are "
            "missing from the figures"
        )

    def note_here(self, worker: str, now_s: float, *, is_heard: bool) -> None:
        """Note that a worker is there, and whether it was heard of just now."""
        since_s = self._away_since_s.pop(worker, None)
        if since_s is not None:
            del self.lost[worker]
            self.away.append(
                f"worker {worker} was away from {clock(since_s)} to {clock(now_s)} of the run: the load "
                "may have been less than asked for meanwhile"
            )
        if is_heard:
            self._heard_s[worker] = now_s

    def note_left(self, worker: str, *, by_suite: bool) -> None:
        """Note that a worker has sent its last report while the load went on."""
        self._away_since_s.pop(worker, None)
        how = "was stopped by the suite" if by_suite else "left"
        self.lost[worker] = f"worker {worker} {how} during the run: it made no load from then on"
        if by_suite:
            self.stopped_by_suite.add(worker)
