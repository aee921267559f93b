"""The facts of a run on the page: its end, its failures and its environment."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime

from loadgate.report.text import target_end
from loadgate.run.document import EnvironmentRecord, MachineClassRecord, RunDocument, RunRecord, StageRecord
from loadgate.run.judgement import Ending
from loadgate.units import count, duration, given, size

_COUNTERS = {
    "arrivals_late": (
        "arrivals started late, because no user or no CPU time was free; their response times include the delay"
    ),
    "arrivals_dropped": "arrivals were dropped because no user was free",
    "arrivals_never_started": "arrivals never started, because no user was free before the end of the run",
    "arrivals_of_lost_workers": "of the arrivals that never started belong to a worker that was lost, away or late",
    "cut_off": "requests were cut off by the interrupt; they are not counted as failed or as successful",
}


def moment(epoch_s: float) -> str:
    """Return a time in UTC, as in `2026-05-01 12:00:00.123 UTC`."""
    at = datetime.fromtimestamp(epoch_s, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"


def moment_s(epoch_s: float) -> str:
    """Return a time in UTC without the part of a second, as in `2026-05-01 12:00:00 UTC`."""
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def title(run: RunRecord) -> str:
    """Return the profile, its time and load, and the service, as in `light · 1 min · 10 users · 127.0.0.1:8000`."""
    service = run.host.partition("://")[2] or run.host
    parts = (run.profile.name, duration(run.planned_s or run.duration_s), _level(run), service.rstrip("/"))
    return " · ".join(part for part in parts if part)


def _level(run: RunRecord) -> str:
    """Return the rate of an open model, or the number of users. That of stages is the highest one."""
    stages = run.profile.stages
    rates = [stage.rate for stage in stages if stage.rate is not None]
    if run.profile.rate or rates:
        return run.profile.rate or f"up to {given(max(rates), '/s')}"
    users = max((stage.users for stage in stages if stage.users is not None), default=run.users)
    if users is None:
        return ""
    return f"{'up to ' if stages else ''}{count(users)} {'user' if users == 1 else 'users'}"


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


def counters(document: RunDocument) -> list[str]:
    """Return a sentence for each counter."""
    return [
        f"{count(number)} {_COUNTERS.get(name, name.replace('_', ' '))}." for name, number in document.counters.items()
    ]


def facts(document: RunDocument) -> dict[str, str]:
    """Return the environment and the settings of the run by name."""
    run, made_on = document.run, document.made_on
    git, profile = made_on.git, run.profile
    how = cut_short_by_target(document)
    changed = ", with local changes" if git and git.changed else ""
    found = {
        "Target": run.host,
        "Profile": f"{profile.name}: {profile.description}" if profile.description else profile.name,
        "Load": _load(run),
        "User classes": ", ".join(f"{name} {weight}" for name, weight in run.user_classes.items()),
        "Stages": "; ".join(_stage(stage) for stage in profile.stages),
        "Started": moment_s(run.started_s),
        "Ended": f"{moment_s(run.ended_s)} ({how or run.ending}, load for {duration(run.duration_s)})",
        "Processes": f"{run.processes}, stop timeout {duration(run.stop_timeout_s)}",
        "Commit": f"{git.commit} on {git.branch}{changed}" if git else "not a repository",
        **machine_facts(made_on),
        "Command": shlex.join(run.command),
        "run.json": f"schema version {document.schema_version}",
    }
    return {name: value for name, value in found.items() if value}


def machine_facts(made_on: EnvironmentRecord) -> dict[str, str]:
    """Return the machine of the load generator and its software by name. A value is "" if it is unknown."""
    machine = made_on.machine
    return {
        "Machine": f"{machine.name}: {machine.system}, {machine.processor}, {machine.cores} cores, "
        f"{size(machine.memory_bytes)}",
        "Processor": _processor(made_on.machine_class),
        "Versions": ", ".join(f"{name} {version}" for name, version in made_on.versions.items()),
    }


def _processor(machine: MachineClassRecord | None) -> str:
    """Return the processor and the limits of the load generator. "" if they are unknown."""
    if machine is None:
        return ""
    cores, cpu, memory = machine.usable_cores, machine.cpu_limit, machine.memory_limit_bytes
    parts = [
        machine.cpu,
        f"{count(cores)} usable {'core' if cores == 1 else 'cores'}" if cores else None,
        f"CPU limit {given(cpu)} cores" if cpu is not None else None,
        f"memory limit {size(memory)}" if memory is not None else None,
    ]
    return ", ".join(filter(None, parts))


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
