"""Create the document of a finished run."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadgate.credentials import without_credentials
from loadgate.paths import COMMAND_VARIABLE
from loadgate.recorder import OVERALL, Scope, Totals, corrected, expected_interval_ms
from loadgate.rules import Verdict, loaded_stages, steady_stages
from loadgate.run.conclusions import FinishedRun, conclusions
from loadgate.run.document.environment import EnvironmentRecord
from loadgate.run.document.figures import (
    Buckets,
    Distribution,
    GroupFigures,
    LatencyFigures,
    NameFigures,
    ScopeFigures,
    TotalFigures,
)
from loadgate.run.document.model import SCHEMA_VERSION, RunDocument
from loadgate.run.document.parts import iso_time
from loadgate.run.document.plan import ProfileRecord, RunRecord
from loadgate.run.document.recording import Recording
from loadgate.run.document.requests import ErrorRecord, ExemplarRecord
from loadgate.run.document.resources import ResourcesRecord
from loadgate.run.document.verdict import RuleRecord, VerdictRecord
from loadgate.run.document.workers import WorkerRecord
from loadgate.run.judgement import exit_code
from loadgate.run.state import Run
from loadgate.shape.profile import LoadProfile


def run_document(run: Run, verdict: Verdict, made_on: EnvironmentRecord, ended_s: float) -> RunDocument:
    """Return the document of a run that has finished at `ended_s` (epoch seconds)."""
    recorder = run.recorder
    return RunDocument(
        schema_version=SCHEMA_VERSION,
        run=_run(run, ended_s),
        verdict=_verdict(verdict),
        totals=total_figures(run),
        errors=[ErrorRecord.model_validate(error) for error in recorder.errors()],
        slowest=[ExemplarRecord.model_validate(request) for request in recorder.slowest()],
        exceptions=list(run.exceptions.values()),
        counters=recorder.counters(),
        generator=[run.health[process] for process in sorted(run.health)],
        workers=_workers(run),
        user_counts=run.user_counts,
        stages=[(max(since_s, run.started_s), stage) for since_s, stage in run.stages],
        target=None,
        conclusions=conclusions(finished_run(run), verdict.results),
        resources=ResourcesRecord.of(run.resources),
        made_on=made_on,
        recording=Recording.of(recorder),
    )


def finished_run(run: Run) -> FinishedRun:
    """Return the facts from which the conclusions of a run are derived."""
    return FinishedRun(run.plan.profile, run.recorder, run.target, run.facts().whole_run())


def _run(run: Run, ended_s: float) -> RunRecord:
    plan = run.plan
    return RunRecord(
        profile=_profile(plan.profile),
        host=plan.host,
        users=plan.users,
        spawn_rate=plan.spawn_rate,
        planned_s=plan.run_time_s,
        stop_timeout_s=plan.stop_timeout_s,
        processes=plan.processes,
        user_classes=dict(plan.user_classes),
        started_at=iso_time(run.started_s),
        ended_at=iso_time(ended_s),
        duration_s=round(run.elapsed_s, 3),
        ending=run.ending,
        ended_by=run.ended_by,
        command=[without_credentials(part) for part in _command()],
    )


def _command() -> list[str]:
    """Return the command line of `loadgate run` or, if it has not started this process, that of Locust."""
    # Anyone can set a variable, so it can contain an open quotation mark.
    with contextlib.suppress(ValueError):
        if command := shlex.split(os.environ.get(COMMAND_VARIABLE, "")):
            return command
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _workers(run: Run) -> list[WorkerRecord]:
    return [
        WorkerRecord(
            worker=worker,
            host=known.host,
            pid=known.pid,
            counted_requests=known.counted.requests,
            counted_failures=known.counted.failures,
            merged_requests=run.recorder.merged(worker).requests,
            merged_failures=run.recorder.merged(worker).failures,
            is_complete=worker in run.workers.finished,
        )
        for worker, known in sorted(run.workers.known.items())
    ]


def _verdict(verdict: Verdict) -> VerdictRecord:
    return VerdictRecord(
        outcome=verdict.outcome,
        exit_code=exit_code(verdict.outcome),
        reason=verdict.reason,
        notes=list(verdict.notes),
        rules=[RuleRecord.of(result) for result in verdict.results],
    )


def total_figures(run: Run) -> TotalFigures:
    """Return the figures of all requests, of each group and of each name, with and without the ramp.

    - `requests_per_s` counts only requests that started during the load.
    - `kind` distinguishes requests from measures. For a measure, `requests` is the number of its values, and
      `success_ms` describes its values.
    - `service_ms` is `None` in a closed model. In an open model latencies start at the intended start, and service
      times start at the sending of the request.
    - `corrected_ms` exists for groups in a closed model: their latencies corrected for coordinated omission (see
      `loadgate.recorder.coordinated_omission`). Rules do not read it.
    """
    recorder = run.recorder
    steady, loaded = steady_stages(recorder), loaded_stages(recorder)

    def figures(scope: Scope) -> ScopeFigures:
        totals, service = recorder.totals(scope), recorder.service_times(scope)
        requests, sent_under_load = totals.requests, recorder.totals(scope, loaded).requests
        return ScopeFigures(
            kind="measure" if recorder.is_measure(scope) else "request",
            requests=requests,
            failures=totals.failures,
            failure_rate=totals.failures / requests if requests else None,
            requests_per_s=sent_under_load / run.elapsed_s if run.elapsed_s > 0 else None,
            response_bytes=totals.response_bytes,
            success_ms=LatencyFigures.of(totals.success),
            failure_ms=LatencyFigures.of(totals.failure),
            distribution=Distribution(success=Buckets.of(totals.success), failure=Buckets.of(totals.failure)),
            steady_success_ms=LatencyFigures.of(recorder.totals(scope, steady).success),
            service_ms=LatencyFigures.of(service) if service.count else None,
        )

    def group_figures(scope: str, user_seconds: float) -> GroupFigures:
        is_closed = run.plan.arrivals is None
        corrected_ms = _corrected(recorder.totals(scope), user_seconds) if is_closed else None
        return GroupFigures(**dict(figures(scope)), corrected_ms=corrected_ms)

    return TotalFigures(
        overall=group_figures(OVERALL, sum(run.user_seconds.values())),
        groups={group: group_figures(group, run.user_seconds[group]) for group in recorder.groups()},
        requests=[
            NameFigures(group=request.group or "", name=request.name, **dict(figures(request)))
            for request in recorder.requests()
        ],
    )


def _profile(profile: LoadProfile) -> ProfileRecord:
    # A suite can pass numbers and strings of subclasses.
    return ProfileRecord.model_validate({name: _plain(value) for name, value in asdict(profile).items()}, strict=False)


def _corrected(totals: Totals, user_seconds: float) -> LatencyFigures | None:
    everything = totals.success.copy()
    everything.merge(totals.failure)
    interval_ms = expected_interval_ms(everything, user_seconds)
    return None if interval_ms is None else LatencyFigures.of(corrected(totals.success, interval_ms))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
