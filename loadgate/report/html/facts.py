"""The facts of a run on the page: its end, its failures and its environment."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from loadgate.report.html.page_values import moment
from loadgate.report.text import target_end
from loadgate.run.document import ExemplarRecord, RunDocument, RunRecord, StageRecord
from loadgate.run.judgement import Ending
from loadgate.units import clock, count, duration, given, milliseconds, percentage, size

_COUNTERS = {
    "arrivals_late": "arrivals started late because no user was free; their response times include the delay",
    "arrivals_dropped": "arrivals were dropped because no user was free",
    "arrivals_never_started": "arrivals never started because no user was free",
    "cut_off": "requests were cut off by the interrupt and count neither as failed nor as successful",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as text: since the start of the run, and in UTC."""

    offset: str
    clock: str


@dataclass(frozen=True, slots=True)
class Example:
    """One exemplar as text. An id is "" if it has none."""

    at: Moment
    group: str
    name: str
    latency: str
    trace_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One distinct failure, as text."""

    name: str
    error: str
    times: str
    share: str
    first: Moment
    last: Moment
    examples: tuple[Example, ...]


def ending(document: RunDocument) -> str:
    """Return a sentence that says how and when the run ended."""
    run = document.run
    planned = f" of {duration(run.planned_s)}" if run.planned_s else ""
    lasted = duration(run.duration_s)
    if how := cut_short_by_target(document):
        return f"Cut short after {lasted}{planned}, because {how}. The results cover only this time."
    return {
        "completed": {
            "suite": f"Stopped by the suite after {lasted}{planned}.",
            "shape": f"Ran until its load shape ended, {lasted}.",
        }.get(run.ended_by or "", f"Ran its full time, {lasted}."),
        "interrupted": f"Interrupted after {lasted}{planned}. The results cover only this time.",
        "aborted": f"Stopped by a rule after {lasted}{planned}.",
    }.get(run.ending, f"Ended ({run.ending}) after {lasted}{planned}.")


def cut_short_by_target(document: RunDocument) -> str:
    """Return how the managed target ended, if its end stopped the run. Otherwise ""."""
    target = document.target
    if target is None or not target.ended or document.run.ending is not Ending.INTERRUPTED:
        return ""
    return target_end(target.ended)


def failure_rows(document: RunDocument, started_s: float) -> list[FailureRow]:
    """Return the distinct failures, the most frequent first."""
    failures = document.totals.overall.failures
    return [
        FailureRow(
            name=error.name,
            error=error.text,
            times=count(error.count),
            share=percentage(error.count / failures) if failures else "-",
            first=_moment(error.first_s, started_s),
            last=_moment(error.last_s, started_s),
            examples=tuple(_example(item, started_s) for item in error.examples),
        )
        for error in document.errors
    ]


def slowest_rows(document: RunDocument, started_s: float) -> list[Example]:
    """Return the slowest successful requests in run.json."""
    return [_example(item, started_s) for item in document.slowest]


def counters(document: RunDocument) -> list[str]:
    """Return a sentence for each counter."""
    return [
        f"{count(number)} {_COUNTERS.get(name, name.replace('_', ' '))}." for name, number in document.counters.items()
    ]


def facts(document: RunDocument) -> dict[str, str]:
    """Return the environment and the settings of the run by name."""
    run, made_on = document.run, document.made_on
    git, machine, profile = made_on.git, made_on.machine, run.profile
    how = cut_short_by_target(document)
    changed = ", with local changes" if git and git.changed else ""
    found = {
        "Target": run.host,
        "Profile": f"{profile.name}: {profile.description}" if profile.description else profile.name,
        "Load": _load(run),
        "User classes": ", ".join(f"{name} {weight}" for name, weight in run.user_classes.items()),
        "Stages": "; ".join(_stage(stage) for stage in profile.stages),
        "Started": run.started_at,
        "Ended": f"{run.ended_at} ({how or run.ending}, load for {duration(run.duration_s)})",
        "Processes": f"{run.processes}, stop timeout {duration(run.stop_timeout_s)}",
        "Commit": f"{git.commit} on {git.branch}{changed}" if git else "not a repository",
        "Machine": f"{machine.name}: {machine.system}, {machine.processor}, {machine.cores} cores, "
        f"{size(machine.memory_bytes)}",
        "Versions": ", ".join(f"{name} {version}" for name, version in made_on.versions.items()),
        "Command": shlex.join(run.command),
        "run.json": f"schema version {document.schema_version}",
    }
    return {name: value for name, value in found.items() if value}


def _load(run: RunRecord) -> str:
    rate = run.profile.rate
    users = f"{count(run.users)} users" if run.users is not None else "a number of users that the suite decides"
    spawn = f", {given(run.spawn_rate)} started per second" if run.spawn_rate else ""
    planned = f", for {duration(run.planned_s)}" if run.planned_s else ""
    model = f"open model, {rate} arrivals; up to " if rate else "closed model, "
    return f"{model}{users}{spawn}{planned}"


def _stage(stage: StageRecord) -> str:
    level = f"{count(stage.users)} users" if stage.users is not None else f"{stage.rate}/s"
    return f"{stage.name or 'stage'}: {level} for {stage.duration}"


def _moment(epoch_s: float, started_s: float) -> Moment:
    return Moment(clock(epoch_s - started_s), moment(epoch_s))


def _example(item: ExemplarRecord, started_s: float) -> Example:
    return Example(
        at=_moment(item.start_s, started_s),
        group=item.group,
        name=item.name,
        latency=milliseconds(item.latency_ms),
        trace_id=item.trace_id,
        request_id=item.request_id,
    )
