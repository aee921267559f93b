"""The state of one run while it goes on: what it was asked to do, and what has been seen of it."""

from __future__ import annotations

import math
import time
import traceback
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from loadgate.credentials import without_credentials
from loadgate.recorder import OUTSIDE, RAMP, STEADY, FinishedRequest, Outcome, Recorder
from loadgate.recorder.errors import shorten
from loadgate.recorder.request import whole_text
from loadgate.rules import Rule, RuleResult
from loadgate.run.attendance import Attendance
from loadgate.run.first_bytes import FirstBytes
from loadgate.run.health import GeneratorHealth
from loadgate.run.judgement import EndedBy, Ending, RunFacts
from loadgate.shape.arrivals import ArrivalSchedule
from loadgate.shape.profile import LoadProfile
from loadgate.shape.stages import Step
from loadgate.units import duration

if TYPE_CHECKING:
    # It imports Locust, which patches the standard library; whoever only reads a run does not want that.
    from loadgate.run.measure import Measure

MAX_EXCEPTION_KINDS = 50
CLOCKS_S = 0.05
"""How much too early an arrival's start may read, which is reckoned back by another clock than the marks'."""

CLOCK_SLACK_S = 60.0
"""How far outside the run a record may end: clocks are set, and a suite may have its times from elsewhere."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run was asked to do."""

    profile: LoadProfile
    rules: tuple[Rule, ...]
    host: str
    """Without the user and password that it may have been given with."""
    users: int | None
    spawn_rate: float | None
    run_time_s: float | None
    stop_timeout_s: float
    processes: int
    """Generator processes that make load."""
    user_classes: Mapping[str, float]
    """Weights by class name."""
    steps: tuple[Step, ...] = ()
    """How the number of users goes, in a closed model."""
    arrivals: ArrivalSchedule | None = None
    """When tasks are meant to start, in an open model."""
    timed_by_gate: bool = False
    """Whether the gate ends the run, since Locust would count the time before the load."""
    fewer_users: str = ""
    """Says how many users there are, where the run was asked to have fewer than its profile."""
    groups_without_users: frozenset[str] = frozenset()
    """The profile's groups that get no user because of what the run was asked for."""
    remarks: tuple[str, ...] = ()
    """Sentences for the verdict's notes on how the plan came about."""
    request_types: frozenset[str] = frozenset()
    """Types of request events that the suite declares, as requests or as measures."""


@dataclass(slots=True)
class UserException:
    """An exception that a task let go, and how often."""

    text: str
    traceback: str
    count: int = 0


@dataclass(slots=True)
class LeftOut:
    """Records that made no sense: how many, and what was wrong with the first."""

    count: int = 0
    first: str = ""

    def add(self, count: int, first: str) -> None:
        """Count some more."""
        self.count += count
        self.first = self.first or first


@dataclass
class Run:
    """One run in one process: from the start of the load to the verdict. A worker's is emptied by its reports."""

    plan: Plan
    recorder: Recorder = field(default_factory=Recorder)
    started_s: float = field(default_factory=time.time)
    stages: list[tuple[float, str]] = field(default_factory=lambda: [(0.0, RAMP)])
    """(epoch seconds from which on, stage), ascending."""
    ending: Ending = Ending.COMPLETED
    ended_by: EndedBy | None = None
    """Who ended the load, once it has ended."""
    stopping_s: float | None = None
    ended_s: float | None = None
    aborted_by: RuleResult | None = None
    exceptions: dict[str, UserException] = field(default_factory=dict)
    health: dict[str, GeneratorHealth] = field(default_factory=dict)
    """By process."""
    user_counts: list[tuple[int, int]] = field(default_factory=list)
    """(epoch second, running users)."""
    user_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Time that users were running, summed over the users of each group."""
    workers: Attendance = field(default_factory=Attendance)
    """Which workers were there, and which have sent their last report."""
    left_out: LeftOut = field(default_factory=LeftOut)
    remarks: tuple[str, ...] = ()
    """Sentences that a reader of the figures should know, and that spoil nothing."""
    first_bytes: FirstBytes = field(default_factory=FirstBytes)
    lags: Recorder = field(default_factory=Recorder)
    """How late the processes that make load were, whatever the target did; by what was late."""
    _made_s: float = field(default_factory=time.time)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start, or until the load ended."""
        elapsed_s = (self.stopping_s or time.time()) - self.started_s
        if self.plan.timed_by_gate and self.plan.run_time_s is not None:
            # Its users are stopped a little after the last arrival.
            return min(elapsed_s, self.plan.run_time_s)
        return elapsed_s

    def end_by(self, ended_by: EndedBy) -> None:
        """Note who ends the load; the first one counts."""
        if self.ended_by is None:
            self.ended_by, self.ending = ended_by, ended_by.ending

    def is_early(self) -> bool:
        """Whether the time by which Locust ends a run is not over yet; its timer may be a little ahead of the run."""
        planned_s = self.plan.run_time_s
        # Locust's timer goes on while listeners keep the load from beginning.
        return planned_s is not None and time.time() - self._made_s < planned_s - min(1.0, planned_s / 4)

    def record_request(self, request: FinishedRequest) -> None:
        """Record a request in the stage in which it began. Raises ValueError for one that makes no sense."""
        self._check_moment(request.start_s + (request.latency_ms or 0.0) / 1000)
        is_outside = self.stopping_s is not None and request.start_s > self.stopping_s
        self.recorder.record(request.whole(), OUTSIDE if is_outside else self.stage_at(request.start_s))

    def record_measure(self, measure: Measure) -> None:
        """Record a measure in the stage in which it was taken. Raises ValueError for one that makes no sense."""
        self._check_moment(measure.at_s)
        self.recorder.record_measure(
            whole_text(measure.name),
            measure.value_ms,
            at_s=measure.at_s,
            stage=self.stage_at(measure.at_s),
            group=whole_text(measure.group),
        )

    def record_lag(self, name: str, late_ms: float) -> None:
        """Record how late this process was at something that it had to do now."""
        now_s = time.time()
        start_s = now_s - late_ms / 1000
        self.lags.record(FinishedRequest(name, Outcome.SUCCESS, start_s, late_ms), self.stage_at(now_s))

    def record_exception(self, exception: BaseException, tb: TracebackType | None, where: str = "") -> None:
        """Count an exception that a task let go, or, where that is said, a listener."""
        text = without_credentials(f"{where}{type(exception).__name__}: {exception}".rstrip(": "))
        self._add_exception(whole_text(text), "".join(traceback.format_tb(tb)), 1)

    def leave_out(self, name: object, error: Exception) -> None:
        """Count a record that makes no sense."""
        self.left_out.add(1, shorten(f"{name}: {error}"))

    def _check_moment(self, end_s: float) -> None:
        """Windows of rules go from the first to the last second with a record: a stray one would have them cover it."""
        now_s = time.time()
        if math.isfinite(end_s) and not self._made_s - CLOCK_SLACK_S <= end_s <= now_s + CLOCK_SLACK_S:
            raise ValueError(
                f"it ended at {end_s!r}, which is not within this run ({int(self._made_s)} to {int(now_s)}); "
                "times of day are epoch seconds, as time.time() gives them"
            )

    def stage_at(self, start_s: float) -> str:
        """Return the stage of a request that began at `start_s`."""
        for since_s, stage in reversed(self.stages):
            if start_s >= since_s:
                return stage
        return RAMP

    def mark_ahead(self, marks: Iterable[tuple[float, str]]) -> None:
        """Mark requests that begin so many seconds after now, when an open model's first arrival is due."""
        now_s = time.time() - CLOCKS_S
        self.stages += [(now_s + after_s, stage) for after_s, stage in marks]

    def enter_stage(self, stage: str = STEADY) -> None:
        """Mark requests that begin from now on; `STEADY` is the full load."""
        if stage != self.stages[-1][1]:
            self.stages.append((time.time(), stage))

    def take_report(self, *, final: bool) -> dict[str, Any]:
        """Everything since the last report, for the master."""
        exceptions = [[e.text, e.traceback, e.count] for e in self.exceptions.values()]
        self.exceptions = {}
        health = {process: health.to_json() for process, health in self.health.items()}
        left_out, self.left_out = [self.left_out.count, self.left_out.first], LeftOut()
        delta, lags = self.recorder.take_delta(final=final), self.lags.take_delta(final=final)
        return {
            "sent_s": time.time(),
            "delta": delta,
            "lags": lags,
            "exceptions": exceptions,
            "health": health,
            "left_out": left_out,
            "first_bytes": self.first_bytes.take(),
            "ended_by": self.ended_by.value if self.ended_by is not None else None,
        }

    def merge_report(self, report: Mapping[str, Any], worker_id: str) -> None:
        """Add a worker's report; one that was already there changes nothing."""
        if not self.recorder.merge_delta(report["delta"], worker_id):
            return
        self.lags.merge_delta(report["lags"], worker_id)
        for text, tb, count in report["exceptions"]:
            self._add_exception(text, tb, count)
        self.left_out.add(*report["left_out"])
        self.first_bytes.merge(report["first_bytes"])
        for process, health in report["health"].items():
            self.health[process] = GeneratorHealth.from_json(health)
        if report["delta"]["final"]:
            self.workers.finished.add(worker_id)

    def facts(self) -> RunFacts:
        """What the verdict needs to know beside the requests."""
        first = next(iter(self.exceptions.values()), None)
        lost = {loss.worker_id: str(loss) for loss in self.recorder.lost_reports()} | self.workers.lost
        if self.ended_by is EndedBy.SUITE:
            # It stopped the run by stopping all of them.
            lost = {worker: how for worker, how in lost.items() if worker not in self.workers.stopped_by_suite}
        problems = [health.problem for health in self.health.values() if health.problem]
        return RunFacts(
            ending=self.ending,
            load_s=(self.started_s, self.started_s + self.elapsed_s),
            planned_s=self.plan.run_time_s,
            exceptions=sum(exception.count for exception in self.exceptions.values()),
            first_exception=first.text if first else "",
            rejected_samples=self.left_out.count,
            first_rejected_sample=self.left_out.first,
            incomplete=(*(lost[worker] for worker in sorted(lost)), *self.workers.away),
            saturated="; ".join(problems) or None,
            lags=self.lags,
            aborted_by=self.aborted_by,
            fewer_users=self.plan.fewer_users,
            groups_without_users=self.plan.groups_without_users,
            request_types=self.plan.request_types,
            remarks=(*self._end_remarks(), *self.remarks, *self.first_bytes.remarks(), *self.plan.remarks),
        )

    def _end_remarks(self) -> list[str]:
        if self.ended_by is not EndedBy.SUITE:
            return []
        planned = f" of {duration(self.plan.run_time_s)}" if self.plan.run_time_s else ""
        return [f"the suite stopped the run after {duration(self.elapsed_s)}{planned}"]

    def _add_exception(self, text: str, tb: str, count: int) -> None:
        if text not in self.exceptions and len(self.exceptions) >= MAX_EXCEPTION_KINDS:
            text, tb = "(other exceptions)", ""
        self.exceptions.setdefault(text, UserException(text, tb)).count += count
