"""The state of one run while it goes on: what it was asked to do, and what has been seen of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from locust.contrib.fasthttp import LocustBadStatusCode
from locust.exception import CatchResponseError

from loadgate.health import GeneratorHealth
from loadgate.judgement import Ending, RunFacts
from loadgate.profile import LoadProfile
from loadgate.recorder import RAMP, STEADY, Outcome, Recorder
from loadgate.rules import Rule
from loadgate.users import GROUP, UnansweredRequestError

MAX_EXCEPTION_KINDS = 50


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
    abort_reason: str = ""
    exceptions: dict[str, UserException] = field(default_factory=dict)
    health: dict[str, GeneratorHealth] = field(default_factory=dict)
    """By process."""
    user_counts: list[tuple[int, int]] = field(default_factory=list)
    """(epoch second, running users)."""
    lost_workers: dict[str, str] = field(default_factory=dict)
    """What happened to a worker that did not stay until the end, one sentence each."""
    finished_workers: set[str] = field(default_factory=set)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start, or until the users were told to stop."""
        return (self.stopping_s or time.time()) - self.started_s

    def is_early(self) -> bool:
        """Whether the run's time is not over yet; Locust's timer may be a little ahead of the run."""
        planned_s = self.plan.run_time_s
        return planned_s is not None and self.elapsed_s < planned_s - min(1.0, planned_s / 4)

    def record_request(
        self,
        *,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: int | None,
        exception: Any = None,
        context: Mapping[str, Any] | None = None,
        start_time: float | None = None,
        response: Any = None,
        **_: Any,
    ) -> None:
        """Record what Locust's request event says. A request without a time (None) is recorded with 0 ms."""
        latency_ms = max(0.0, response_time or 0.0)
        start_s = time.time() - latency_ms / 1000 if start_time is None else start_time
        self.recorder.record(
            request_name(request_type, name),
            Outcome.FAILURE if exception else Outcome.SUCCESS,
            start_s=start_s,
            latency_ms=latency_ms,
            response_bytes=response_length or 0,
            error=error_text(exception, response) if exception else None,
            stage=self.stage_at(start_s),
            group=str((context or {}).get(GROUP, "")),
        )

    def record_exception(self, exception: BaseException, tb: TracebackType | None) -> None:
        """Count an exception that a task let go."""
        text = f"{type(exception).__name__}: {exception}".rstrip(": ")
        self._add_exception(text, "".join(traceback.format_tb(tb)), 1)

    def stage_at(self, start_s: float) -> str:
        """Return the stage of a request that began at `start_s`."""
        return next(stage for since_s, stage in reversed(self.stages) if start_s >= since_s)

    def enter_stage(self, stage: str = STEADY) -> None:
        """Mark requests that begin from now on; `STEADY` is the full load."""
        self.stages.append((time.time(), stage))

    def take_report(self, *, final: bool) -> dict[str, Any]:
        """Everything since the last report, for the master."""
        exceptions = [[e.text, e.traceback, e.count] for e in self.exceptions.values()]
        self.exceptions = {}
        health = {process: health.to_json() for process, health in self.health.items()}
        return {"delta": self.recorder.take_delta(final=final), "exceptions": exceptions, "health": health}

    def merge_report(self, report: Mapping[str, Any], worker_id: str) -> None:
        """Add a worker's report; one that was already there changes nothing."""
        if not self.recorder.merge_delta(report["delta"], worker_id):
            return
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
            duration_s=self.elapsed_s,
            planned_s=self.plan.run_time_s,
            exceptions=sum(exception.count for exception in self.exceptions.values()),
            first_exception=first.text if first else "",
            incomplete=tuple(lost[worker] for worker in sorted(lost)),
            saturated="; ".join(problems) or None,
            abort_reason=self.abort_reason,
        )

    def _add_exception(self, text: str, tb: str, count: int) -> None:
        if text not in self.exceptions and len(self.exceptions) >= MAX_EXCEPTION_KINDS:
            text, tb = "(other exceptions)", ""
        self.exceptions.setdefault(text, UserException(text, tb)).count += count


def request_name(request_type: str, name: str) -> str:
    """Return the name in the record: the suite's own, or method and path where the suite gave none."""
    return f"{request_type} {name}" if name.startswith("/") or "://" in name else name


def error_text(exception: Any, response: Any = None) -> str:
    """Return an error without the parts that differ from request to request, so that equal errors count together."""
    if isinstance(exception, LocustBadStatusCode):
        return f"HTTP {getattr(exception, 'code', 'error')}"
    if isinstance(exception, CatchResponseError | str):
        cause = getattr(response, "error", None)
        if cause is None or isinstance(cause, LocustBadStatusCode):
            return str(exception)
        return f"{exception} ({error_text(cause)})"
    if isinstance(exception, UnansweredRequestError):
        return str(exception)
    return f"{type(exception).__name__}: {exception}".rstrip(": ")
