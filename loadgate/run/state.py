"""The state of a run in progress: its measurements, and how its load ends."""

from __future__ import annotations

import math
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from loadgate.analysis.causes.usual import MeasuredTarget
from loadgate.credentials import without_credentials
from loadgate.recorder import OUTSIDE, RAMP, STEADY, FinishedRequest, Outcome, Recorder
from loadgate.recorder.errors import shorten
from loadgate.recorder.reports import RequestCounts
from loadgate.recorder.request import Measure, without_surrogates
from loadgate.recorder.resources import ResourceRecord
from loadgate.rules import RuleResult
from loadgate.run.clock import RunClock
from loadgate.run.clock_notes import clock_notes
from loadgate.run.document.environment import GeneratorRecord
from loadgate.run.document.requests import ExceptionRecord
from loadgate.run.first_bytes import FirstBytes
from loadgate.run.judgement import CUT_OFF, UNSENT, EndedBy, Ending, RunFacts
from loadgate.run.load_state import Cause, LoadState, Stopped, UnderLoad
from loadgate.run.plan import Plan
from loadgate.run.worker_medians import MAX_NAMES, WorkerMedians
from loadgate.run.worker_presence import WorkerPresence
from loadgate.shape.arrivals import ArrivalEvent
from loadgate.units import duration

MAX_EXCEPTION_KINDS = 50
CLOCKS_S = 0.05
"""Tolerance for the start of an arrival, because arrivals and stages use different clocks."""

CLOCK_SLACK_S = 60.0
"""Tolerance for the end of a sample before or after the run: clocks are adjusted, and suites can use other clocks."""


@dataclass(slots=True)
class RejectedSamples:
    """The number of rejected samples, and the error of the first one."""

    count: int = 0
    first: str = ""

    def add(self, count: int, first: str) -> None:
        """Add rejected samples."""
        self.count += count
        self.first = self.first or first


@dataclass
class Run:
    """One run in one process, from the start of the load to the verdict.

    On a worker, each report to the master removes the measurements that it contains.
    """

    plan: Plan
    recorder: Recorder = field(default_factory=Recorder)
    started_s: float = 0.0
    """The start in epoch seconds. By default, it is the time at which this object was created."""
    stages: list[tuple[float, str]] = field(default_factory=lambda: [(0.0, RAMP)])
    """(start in epoch seconds, stage), ascending."""
    load: LoadState = field(default_factory=UnderLoad)
    exceptions: dict[str, ExceptionRecord] = field(default_factory=dict)
    health: dict[str, GeneratorRecord] = field(default_factory=dict)
    """The health of each generator process by its name."""
    user_counts: list[tuple[int, int]] = field(default_factory=list)
    """(epoch second, running users)."""
    user_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """The running time of the users of each group, summed over its users."""
    workers: WorkerPresence = field(default_factory=WorkerPresence)
    """The workers: their presence, their own totals, and which of them have sent all reports."""
    counted: RequestCounts = field(default_factory=RequestCounts)
    """The requests that this process has recorded. Unlike the record, reports to the master do not remove them."""
    rejected_samples: RejectedSamples = field(default_factory=RejectedSamples)
    first_bytes: FirstBytes = field(default_factory=FirstBytes)
    target: MeasuredTarget = field(default_factory=lambda: MeasuredTarget(ResourceRecord()))
    """The measurements of the target, in the process that determines the verdict."""
    lags: Recorder = field(default_factory=Recorder)
    """The lag of the processes that generate load, by the kind of measurement."""
    clock: RunClock = field(default_factory=RunClock)
    """The clock of all times of the run. On a worker, it is the master's."""
    medians: WorkerMedians = field(default_factory=WorkerMedians)
    """The median latencies of the workers."""
    unsent: Counter[str] = field(default_factory=Counter)
    """The number of unsent requests of this process by the resource that it ran out of."""
    _made_s: float = 0.0

    def __post_init__(self) -> None:
        """Set the start."""
        self._made_s = self._made_s or self.clock.now_s()
        self.started_s = self.started_s or self._made_s

    @property
    def resources(self) -> ResourceRecord:
        """Return the resources of the target."""
        return self.target.record

    @property
    def elapsed_s(self) -> float:
        """Return the seconds from the start until now, or until the end of the load."""
        elapsed_s = (self.load.at_s if isinstance(self.load, Stopped) else self.clock.now_s()) - self.started_s
        if self.plan.timed_by_gate and self.plan.run_time_s is not None:
            # The users of an open model are stopped shortly after the last arrival.
            return min(elapsed_s, self.plan.run_time_s)
        return elapsed_s

    @property
    def ended_by(self) -> EndedBy | None:
        """Return the cause of the end of the load. `None` until it has been decided."""
        return self.load.cause.by if self.load.cause is not None else None

    @property
    def ending(self) -> Ending:
        """Return how the run ends. A run whose end has not been decided counts as completed."""
        return self.ended_by.ending if self.ended_by is not None else Ending.COMPLETED

    @property
    def is_stopped(self) -> bool:
        """Return whether the users have been told to stop."""
        return isinstance(self.load, Stopped)

    def end_by(self, ended_by: EndedBy, broken: RuleResult | None = None) -> None:
        """Note the cause of the end of the load, unless one is noted. `broken` is the failed result of a rule."""
        if self.load.cause is None:
            self.load = UnderLoad(Cause(ended_by, broken))

    def stop(self, ended_by: EndedBy) -> None:
        """Note that the users are told to stop now. `ended_by` is the cause if none was noted before."""
        self.load = Stopped(self.load.cause or Cause(ended_by), self.clock.now_s())

    def is_early(self) -> bool:
        """Return whether the run time has not passed yet. There is a tolerance, because Locust's timer can be ahead."""
        planned_s = self.plan.run_time_s
        # Locust's timer also runs while listeners delay the start of the load.
        return planned_s is not None and self.clock.now_s() - self._made_s < planned_s - min(1.0, planned_s / 4)

    def record_request(self, request: FinishedRequest) -> None:
        """Record a request in the stage in which it started. Raises ValueError for one that must be rejected."""
        request = self._by_run_clock(request)
        self._check_moment(request.end_s)
        is_outside = isinstance(self.load, Stopped) and request.start_s > self.load.at_s
        self.recorder.record(request.with_valid_texts(), OUTSIDE if is_outside else self.stage_at(request.start_s))
        self.counted = self.counted.plus(1, request.outcome is Outcome.FAILURE)

    def record_cut_off(self, request: FinishedRequest) -> None:
        """Count a request that an interrupt cut off, and its time in flight. Raises ValueError for invalid times."""
        self.recorder.count(CUT_OFF)
        request = self._by_run_clock(request)
        self._check_moment(request.end_s)
        self.recorder.record_cut_off(request.with_valid_texts())

    def record_measure(self, measure: Measure) -> None:
        """Record a measure in the stage in which it was taken. Raises ValueError for one that must be rejected."""
        at_s = measure.at_s + self.clock.shift_s()
        self._check_moment(at_s)
        self.recorder.record_measure(
            without_surrogates(measure.name),
            measure.value_ms,
            at_s=at_s,
            stage=self.stage_at(at_s),
            group=without_surrogates(measure.group),
        )

    def count_unsent(self, resource: str) -> None:
        """Count a request that this process could not send because it ran out of `resource`."""
        self.recorder.count(UNSENT + resource)
        self.unsent[resource] += 1

    def count_late(self, late_s: float) -> None:
        """Count an arrival that started `late_s` after its intended start, in the second of this start."""
        self.recorder.count(ArrivalEvent.LATE, at_s=self.clock.now_s() - late_s)

    def record_lag(self, name: str, late_ms: float) -> None:
        """Record that a step of this process, named `name`, was `late_ms` late."""
        now_s = self.clock.now_s()
        start_s = now_s - late_ms / 1000
        self.lags.record(FinishedRequest(name, Outcome.SUCCESS, start_s, late_ms), self.stage_at(now_s))

    def record_exception(self, exception: BaseException, tb: TracebackType | None, where: str = "") -> None:
        """Count an uncaught exception of a task, or of the listener that `where` names."""
        text = without_credentials(f"{where}{type(exception).__name__}: {exception}".rstrip(": "))
        trace = "".join(traceback.format_tb(tb))
        self._add_exception(ExceptionRecord(text=without_surrogates(text), traceback=trace, count=1))

    def reject(self, name: object, error: Exception) -> None:
        """Count a rejected sample."""
        self.rejected_samples.add(1, shorten(f"{name}: {error}"))

    def _by_run_clock(self, request: FinishedRequest) -> FinishedRequest:
        """Return the request with its start by the clock of the run."""
        shift_s = self.clock.shift_s()
        return request._replace(start_s=request.start_s + shift_s) if shift_s else request

    def _check_moment(self, end_s: float) -> None:
        """Reject samples far outside the run, because the windows of rules extend from the first to the last sample."""
        now_s = self.clock.now_s()
        if math.isfinite(end_s) and not self._made_s - CLOCK_SLACK_S <= end_s <= now_s + CLOCK_SLACK_S:
            raise ValueError(
                f"its end {end_s!r} is not within this run ({int(self._made_s)} to {int(now_s)}); "
                "use epoch seconds, such as time.time()"
            )

    def stage_at(self, start_s: float) -> str:
        """Return the stage of a request that started at `start_s`."""
        for since_s, stage in reversed(self.stages):
            if start_s >= since_s:
                return stage
        return RAMP

    def schedule_stages(self, marks: Iterable[tuple[float, str]]) -> None:
        """Set the stages of an open model, as (seconds from now, stage). Now is the start of the schedule."""
        now_s = self.clock.now_s() - CLOCKS_S
        self.stages += [(now_s + after_s, stage) for after_s, stage in marks]

    def enter_stage(self, stage: str = STEADY) -> None:
        """Set the stage of requests that start from now on."""
        if stage != self.stages[-1][1]:
            self.stages.append((self.clock.now_s(), stage))

    def take_report(self, *, final: bool) -> dict[str, Any]:
        """Return and remove everything recorded since the last report, for the master."""
        exceptions = [exception.model_dump() for exception in self.exceptions.values()]
        self.exceptions = {}
        health = [health.model_dump() for health in self.health.values()]
        rejected, self.rejected_samples = self.rejected_samples, RejectedSamples()
        medians = self.recorder.medians(MAX_NAMES)
        delta, lags = self.recorder.take_delta(final=final), self.lags.take_delta(final=final)
        return {
            "at_s": self.clock.now_s(),
            "medians": medians,
            "counted": list(self.counted),
            "delta": delta,
            "lags": lags,
            "exceptions": exceptions,
            "health": health,
            "rejected_samples": [rejected.count, rejected.first],
            "first_bytes": self.first_bytes.take(),
            "ended_by": self.ended_by.value if self.ended_by is not None else None,
        }

    def merge_report(self, report: Mapping[str, Any], worker_id: str) -> bool:
        """Add a worker's report. Return False if it was already added."""
        if not self.recorder.merge_delta(report["delta"], worker_id):
            return False
        self.lags.merge_delta(report["lags"], worker_id)
        self.medians.add(worker_id, report["at_s"], report["medians"])
        for exception in report["exceptions"]:
            self._add_exception(ExceptionRecord(**exception))
        self.rejected_samples.add(*report["rejected_samples"])
        self.first_bytes.merge(report["first_bytes"])
        for health in map(GeneratorRecord.model_validate, report["health"]):
            known = self.health.get(health.process)
            # A report that was sent again can arrive after a later one.
            if known is None or health.lag_samples >= known.lag_samples:
                self.health[health.process] = health
        if self.recorder.has_all_reports(worker_id):
            self.workers.finished.add(worker_id)
        return True

    def facts(self) -> RunFacts:
        """Return the facts that the verdict needs in addition to the requests."""
        first = next(iter(self.exceptions.values()), None)
        problems = [health.problem for health in self.health.values() if health.problem]
        return RunFacts(
            ending=self.ending,
            load_s=(self.started_s, self.started_s + self.elapsed_s),
            planned_s=self.plan.run_time_s,
            exceptions=sum(exception.count for exception in self.exceptions.values()),
            first_exception=first.text if first else "",
            rejected_samples=self.rejected_samples.count,
            first_rejected_sample=self.rejected_samples.first,
            incomplete=self.workers.incomplete(self.recorder, is_stopped_by_suite=self.ended_by is EndedBy.SUITE),
            saturated="; ".join(problems) or None,
            unsent_by={health.process: health.unsent for health in self.health.values()},
            lags=self.lags,
            aborted_by=self.load.cause.broken if self.load.cause is not None else None,
            fewer_users=self.plan.fewer_users,
            groups_without_users=self.plan.groups_without_users,
            request_types=self.plan.request_types,
            stages=self.stages,
            resources=self.resources,
            remarks=(
                *self._end_remarks(),
                *clock_notes(self.health.values()),
                *self.medians.notes(),
                *self.first_bytes.remarks(),
                *self.plan.remarks,
            ),
        )

    def _end_remarks(self) -> list[str]:
        if self.ended_by is not EndedBy.SUITE:
            return []
        planned = f" of {duration(self.plan.run_time_s)}" if self.plan.run_time_s else ""
        return [f"the suite stopped the run after {duration(round(self.elapsed_s, 3))}{planned}"]

    def _add_exception(self, added: ExceptionRecord) -> None:
        if added.text not in self.exceptions and len(self.exceptions) >= MAX_EXCEPTION_KINDS:
            added = ExceptionRecord(text="(other exceptions)", traceback="", count=added.count)
        known = self.exceptions.get(added.text)
        total = added.count + (known.count if known is not None else 0)
        self.exceptions[added.text] = (known or added).model_copy(update={"count": total})
