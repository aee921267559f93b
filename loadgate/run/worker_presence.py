"""The workers of a run: their presence, their own totals, and notes on incomplete load or measurements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from loadgate.recorder import Recorder
from loadgate.recorder.reports import RequestCounts
from loadgate.units import clock, count


@dataclass(slots=True)
class Worker:
    """What a master knows of a worker."""

    host: str = ""
    pid: int | None = None
    has_reported: bool = False
    """Whether one of its reports has arrived."""
    counted: RequestCounts = field(default_factory=RequestCounts)
    """The worker's own totals, as of its latest report."""
    arrivals: int = 0
    """The arrivals of an open model that it handed out, as of its latest report."""


@dataclass(slots=True)
class WorkerPresence:
    """The workers of one run by their label. Times are in seconds since the start of the run."""

    known: dict[str, Worker] = field(default_factory=dict)
    """The workers that take part in the run."""
    lost: dict[str, str] = field(default_factory=dict)
    """A sentence for each worker that was lost or left before the end."""
    stopped_by_suite: set[str] = field(default_factory=set)
    """Workers that the code of the suite stopped."""
    finished: set[str] = field(default_factory=set)
    """Workers all of whose reports have arrived."""
    away: list[str] = field(default_factory=list)
    """A sentence for each temporary absence of a worker."""
    _heard_s: dict[str, float] = field(default_factory=dict)
    _away_since_s: dict[str, float] = field(default_factory=dict)

    def introduce(self, worker: str, host: str, pid: int | None) -> None:
        """Note that a worker takes part in the run, with its host and its process id there."""
        self.known.setdefault(worker, Worker(host, pid))

    def note_report(self, worker: str, counted: RequestCounts, arrivals: int) -> None:
        """Note a worker's own totals. They only grow, so reports can arrive in any order."""
        known = self.known[worker]
        known.has_reported = True
        known.counted = max(known.counted, counted)
        known.arrivals = max(known.arrivals, arrivals)

    def name(self, worker: str) -> str:
        """Return the name of a worker in messages, such as `worker 1 (host, pid 4711)`."""
        known = self.known.get(worker, Worker())
        where = ", ".join(part for part in (known.host, f"pid {known.pid}" if known.pid else "") if part)
        return f"worker {worker} ({where})" if where else f"worker {worker}"

    def mark_missing(self, worker: str) -> None:
        """Note that a worker's heartbeats have stopped."""
        self._away_since_s.setdefault(worker, self._heard_s.get(worker, 0.0))
        self.lost[worker] = (
            f"{self.name(worker)} was lost during the run, so its load stopped early and its last requests are missing"
        )

    def mark_present(self, worker: str, now_s: float, *, is_heard: bool) -> None:
        """Note that a worker is present. `is_heard` says whether its heartbeat is recent."""
        since_s = self._away_since_s.pop(worker, None)
        if since_s is not None:
            del self.lost[worker]
            self.away.append(
                f"{self.name(worker)} was away from {clock(since_s)} to {clock(now_s)} of the run, so the load may "
                "have been lower than planned in that time"
            )
        if is_heard:
            self._heard_s[worker] = now_s

    def mark_left(self, worker: str, *, by_suite: bool) -> None:
        """Note that a worker has left: it has sent its final report before the end of the load."""
        self._away_since_s.pop(worker, None)
        how = "was stopped by the suite" if by_suite else "left"
        self.lost[worker] = f"{self.name(worker)} {how} during the run, so its load stopped early"
        if by_suite:
            self.stopped_by_suite.add(worker)

    def incomplete(self, recorder: Recorder, *, is_stopped_by_suite: bool) -> tuple[str, ...]:
        """Return sentences on workers whose load or measurements are incomplete. Call it after the run.

        A suite stops a run by stopping all workers. Workers that it has stopped are then not lost.
        """
        silent = [worker for worker, known in self.known.items() if not known.has_reported]
        lost = {worker: f"{self.name(worker)}: none of its reports arrived" for worker in silent}
        lost |= {item.worker_id: item.sentence(self.name(item.worker_id)) for item in recorder.lost_reports()}
        lost |= self.lost
        if is_stopped_by_suite:
            lost = {worker: how for worker, how in lost.items() if worker not in self.stopped_by_suite}
        return (*(lost[worker] for worker in sorted(lost)), *self.away, *self._differences(recorder))

    def _differences(self, recorder: Recorder) -> Iterator[str]:
        """Yield a sentence for each worker whose own totals are not those that its reports added to the record."""
        different = False
        for worker, known in sorted(self.known.items()):
            merged = recorder.merged(worker)
            if merged != known.counted:
                different = True
                yield f"{self.name(worker)} counted {_totals(known.counted)}, but its reports contain {_totals(merged)}"
        everything = sum(known.counted.requests for known in self.known.values())
        recorded = sum(recorder.methods().values())
        if self.known and not different and everything != recorded:
            yield f"the workers counted {count(everything)} requests, but the record contains {count(recorded)}"


def _totals(counts: RequestCounts) -> str:
    return f"{count(counts.requests)} requests ({count(counts.failures)} failed)"
