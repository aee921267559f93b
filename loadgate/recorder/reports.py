"""Track the reports of workers, to ignore duplicates and to detect lost reports."""

from dataclasses import dataclass, field
from typing import NamedTuple


class RequestCounts(NamedTuple):
    """The number of requests, and how many of them failed. Measures are not requests."""

    requests: int = 0
    failures: int = 0

    def plus(self, requests: int, failures: int) -> "RequestCounts":
        """Return the sum."""
        return RequestCounts(self.requests + requests, self.failures + failures)


@dataclass(slots=True)
class WorkerReports:
    """The reports of one recorder of one worker. Their sequence numbers start at 0 and have no gaps."""

    seen: set[int] = field(default_factory=set)
    below: int = 0
    final_sequence: int | None = None

    def accept(self, sequence: int, *, final: bool) -> bool:
        """Remember a report. Return whether it is new."""
        if sequence < self.below or sequence in self.seen:
            return False
        self.seen.add(sequence)
        while self.below in self.seen:
            self.seen.remove(self.below)
            self.below += 1
        if final:
            self.final_sequence = sequence
        return True

    @property
    def missing(self) -> int:
        """Return the number of reports that were sent but have not arrived."""
        highest = max(self.seen, default=self.below - 1)
        return highest + 1 - self.below - len(self.seen)

    @property
    def complete(self) -> bool:
        """Return whether the final report and all before it have arrived."""
        return self.final_sequence is not None and self.missing == 0


@dataclass(frozen=True, slots=True)
class LostReports:
    """The lost reports of a worker: their number is `missing`; `unfinished` is true if the final one is lost."""

    worker_id: str
    missing: int
    unfinished: bool

    def sentence(self, worker: str) -> str:
        """Return a sentence that calls the worker `worker`."""
        parts = []
        if self.missing:
            parts.append(f"{self.missing} of its reports")
        if self.unfinished:
            parts.append("its final report")
        return f"{worker}: {' and '.join(parts)} did not arrive, so its latest requests are missing"


class ReportBook:
    """The reports of all workers."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, str], WorkerReports] = {}

    def accept(self, worker_id: str, recorder_id: str, sequence: int, *, final: bool) -> bool:
        """Remember a report. Return whether it is new. `recorder_id` identifies a restarted worker."""
        reports = self._reports.setdefault((worker_id, recorder_id), WorkerReports())
        return reports.accept(sequence, final=final)

    def has_all(self, worker_id: str) -> bool:
        """Return whether the final report of a worker and all before it have arrived."""
        found = [reports for (worker, _), reports in self._reports.items() if worker == worker_id]
        return bool(found) and all(reports.complete for reports in found)

    def lost(self) -> list[LostReports]:
        """Return the workers whose reports are incomplete. Call it after the run."""
        return [
            LostReports(worker_id, reports.missing, reports.final_sequence is None)
            for (worker_id, _), reports in self._reports.items()
            if not reports.complete
        ]
