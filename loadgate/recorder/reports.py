"""Bookkeeping of the reports that workers send, so that none counts twice and none is lost in silence."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class WorkerReports:
    """What came from one recorder of one worker. Sequence numbers start at 0 and have no gaps when sent."""

    seen: set[int] = field(default_factory=set)
    below: int = 0
    last_of_run: int | None = None

    def accept(self, sequence: int, *, final: bool) -> bool:
        """Whether the report is new; remembers it."""
        if sequence < self.below or sequence in self.seen:
            return False
        self.seen.add(sequence)
        while self.below in self.seen:
            self.seen.remove(self.below)
            self.below += 1
        if final:
            self.last_of_run = sequence
        return True

    @property
    def missing(self) -> int:
        """Reports known to have been sent that have not come."""
        highest = max(self.seen, default=self.below - 1)
        return highest + 1 - self.below - len(self.seen)

    @property
    def complete(self) -> bool:
        """Whether the last report of the run and all before it have come."""
        return self.last_of_run is not None and self.missing == 0


@dataclass(frozen=True, slots=True)
class LostReports:
    """`missing` reports of a worker never came; with `unfinished`, neither did the last one of the run."""

    worker_id: str
    missing: int
    unfinished: bool

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"{self.missing} of its reports did not arrive")
        if self.unfinished:
            parts.append("its last report did not arrive")
        return f"worker {self.worker_id}: {', and '.join(parts)}; its latest requests are missing from the figures"


class ReportBook:
    """All workers' reports."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, str], WorkerReports] = {}

    def accept(self, worker_id: str, recorder_id: str, sequence: int, *, final: bool) -> bool:
        """Whether this report is new. `recorder_id` tells a restarted worker from a repeated report."""
        reports = self._reports.setdefault((worker_id, recorder_id), WorkerReports())
        return reports.accept(sequence, final=final)

    def lost(self) -> list[LostReports]:
        """Workers whose reports are incomplete; ask when the run is over and all have been heard."""
        return [
            LostReports(worker_id, reports.missing, reports.last_of_run is None)
            for (worker_id, _), reports in self._reports.items()
            if not reports.complete
        ]
