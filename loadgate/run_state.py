"""The state of one run while it goes on: what it was asked to do, and what has been seen of it."""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from loadgate.arrival import ArrivalSchedule
from loadgate.health import GeneratorHealth
from loadgate.judgement import Ending, RunFacts
from loadgate.profile import LoadProfile
from loadgate.recorder import OUTSIDE, RAMP, STEADY, Outcome, Recorder, RequestIds
from loadgate.rules import Rule, RuleResult
from loadgate.stages import Step

if TYPE_CHECKING:
    # It imports Locust, which patches the standard library; whoever only reads a run does not want that.
    from loadgate.measures import Measure

MAX_EXCEPTION_KINDS = 50
CLOCKS_S = 0.05
"""How much too early an arrival's start may read, which is reckoned back by another clock than the marks'."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run was asked to do."""

    profile: LoadProfile
    rules: tuple[Rule, ...]
    host: str
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
    """Whether the gate ends the run, since Locust would count the making of an open model's users."""


class FinishedRequest(NamedTuple):
    """A request that has ended, well (`error` is None) or not.

    `latency_ms` counts from `start_s` (epoch seconds): when it was sent, or meant to be sent in an open model, where
    `service_ms` is the time from its sending.
    """

    name: str
    group: str
    start_s: float
    latency_ms: float
    service_ms: float | None
    response_bytes: int
    error: str | None
    ids: Callable[[], RequestIds] | None = None
    """Gives what names it in the target's logs, if that is asked for."""


@dataclass(slots=True)
class UserException:
    """An exception that a task let go, and how often."""

    text: str
    traceback: str
    count: int = 0


@dataclass
class Run:
    """One run in one process: from the start of the load to the verdict. A worker's is emptied by its reports."""

    plan: Plan
    recorder: Recorder = field(default_factory=Recorder)
    started_s: float = field(default_factory=time.time)
    stages: list[tuple[float, str]] = field(default_factory=lambda: [(0.0, RAMP)])
    """(epoch seconds from which on, stage), ascending."""
    ending: Ending = Ending.COMPLETED
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
    lost_workers: dict[str, str] = field(default_factory=dict)
    """What happened to a worker that did not stay until the end, one sentence each."""
    finished_workers: set[str] = field(default_factory=set)
    lags: Recorder = field(default_factory=Recorder)
    """How late the processes that make load were, whatever the target did; by what was late."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start, or until the load ended."""
        elapsed_s = (self.stopping_s or time.time()) - self.started_s
        if self.plan.timed_by_gate and self.plan.run_time_s is not None:
            # Its users are stopped a little after the last arrival.
            return min(elapsed_s, self.plan.run_time_s)
        return elapsed_s

    def is_early(self) -> bool:
        """Whether the run's time is not over yet; Locust's timer may be a little ahead of the run."""
        planned_s = self.plan.run_time_s
        return planned_s is not None and self.elapsed_s < planned_s - min(1.0, planned_s / 4)

    def record_request(self, request: FinishedRequest) -> None:
        """Record a request in the stage in which it began."""
        is_outside = self.stopping_s is not None and request.start_s > self.stopping_s
        self.recorder.record(
            request.name,
            Outcome.SUCCESS if request.error is None else Outcome.FAILURE,
            start_s=request.start_s,
            latency_ms=request.latency_ms,
            response_bytes=request.response_bytes,
            error=request.error,
            stage=OUTSIDE if is_outside else self.stage_at(request.start_s),
            group=request.group,
            service_ms=request.service_ms,
            ids=request.ids,
        )

    def record_measure(self, measure: Measure) -> None:
        """Record a measure in the stage in which it was taken."""
        self.recorder.record_measure(
            measure.name,
            measure.value_ms,
            at_s=measure.at_s,
            stage=self.stage_at(measure.at_s),
            group=measure.group,
        )

    def record_lag(self, name: str, late_ms: float) -> None:
        """Record how late this process was at something that it had to do now."""
        now_s = time.time()
        start_s = now_s - late_ms / 1000
        self.lags.record(name, Outcome.SUCCESS, start_s=start_s, latency_ms=late_ms, stage=self.stage_at(now_s))

    def record_exception(self, exception: BaseException, tb: TracebackType | None) -> None:
        """Count an exception that a task let go."""
        text = f"{type(exception).__name__}: {exception}".rstrip(": ")
        self._add_exception(text, "".join(traceback.format_tb(tb)), 1)

    def stage_at(self, start_s: float) -> str:
        """Return the stage of a request that began at `start_s`."""
        return next(stage for since_s, stage in reversed(self.stages) if start_s >= since_s)

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
        delta, lags = self.recorder.take_delta(final=final), self.lags.take_delta(final=final)
        return {"delta": delta, "lags": lags, "exceptions": exceptions, "health": health}

    def merge_report(self, report: Mapping[str, Any], worker_id: str) -> None:
        """Add a worker's report; one that was already there changes nothing."""
        if not self.recorder.merge_delta(report["delta"], worker_id):
            return
        self.lags.merge_delta(report["lags"], worker_id)
        for text, tb, count in report["exceptions"]:
            self._add_exception(text, tb, count)
        for process, health in report["health"].items():
            self.health[process] = GeneratorHealth.from_json(health)
        if report["delta"]["final"]:
            self.finished_workers.add(worker_id)

    def facts(self) -> RunFacts:
        """What the verdict needs to know beside the requests."""
        first = next(iter(self.exceptions.values()), None)
        lost = {loss.worker_id: str(loss) for loss in self.recorder.lost_reports()}
        lost |= self.lost_workers
        problems = [health.problem for health in self.health.values() if health.problem]
        return RunFacts(
            ending=self.ending,
            load_s=(self.started_s, self.started_s + self.elapsed_s),
            planned_s=self.plan.run_time_s,
            exceptions=sum(exception.count for exception in self.exceptions.values()),
            first_exception=first.text if first else "",
            incomplete=tuple(lost[worker] for worker in sorted(lost)),
            saturated="; ".join(problems) or None,
            lags=self.lags,
            aborted_by=self.aborted_by,
        )

    def _add_exception(self, text: str, tb: str, count: int) -> None:
        if text not in self.exceptions and len(self.exceptions) >= MAX_EXCEPTION_KINDS:
            text, tb = "(other exceptions)", ""
        self.exceptions.setdefault(text, UserException(text, tb)).count += count
