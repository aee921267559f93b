"""run.json: everything that is known of a run in one document, from which every other artefact is made."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from loadgate.credentials import without_credentials
from loadgate.recorder import OVERALL, LatencySketch, Scope, Totals, corrected, expected_interval_ms
from loadgate.rules import RuleResult, Verdict, loaded_stages, steady_stages
from loadgate.run.judgement import exit_code
from loadgate.run.state import Run, whole_text
from loadgate.shape.profile import LoadProfile

SCHEMA_VERSION = 2
"""Raised when a reader of older documents would misread a newer one. See `loadgate/report/run.schema.json`."""

PERCENTILES = (50, 90, 95, 99, 99.9)


def run_document(run: Run, verdict: Verdict, folder: Path) -> dict[str, Any]:
    """Return the document of a finished run; `folder` is the project's, for the git commit."""
    ended_s = run.ended_s or run.started_s
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "profile": profile_json(run.plan.profile),
            "host": run.plan.host,
            "users": run.plan.users,
            "spawn_rate": run.plan.spawn_rate,
            "planned_s": run.plan.run_time_s,
            "stop_timeout_s": run.plan.stop_timeout_s,
            "processes": run.plan.processes,
            "user_classes": dict(run.plan.user_classes),
            "started_at": iso_time(run.started_s),
            "ended_at": iso_time(ended_s),
            "duration_s": round(run.elapsed_s, 3),
            "ending": run.ending.value,
            "ended_by": run.ended_by.value if run.ended_by is not None else None,
            "command": [whole_text(without_credentials(part)) for part in (Path(sys.argv[0]).name, *sys.argv[1:])],
        },
        "verdict": verdict_json(verdict),
        "totals": totals_json(run),
        "errors": [asdict(error) for error in run.recorder.errors()],
        "slowest": [asdict(request) for request in run.recorder.slowest()],
        "exceptions": [asdict(exception) for exception in run.exceptions.values()],
        "counters": run.recorder.counters(),
        "generator": [run.health[process].to_json() for process in sorted(run.health)],
        "user_counts": [list(count) for count in run.user_counts],
        "stages": [[max(since_s, run.started_s), stage] for since_s, stage in run.stages],
        "target": None,
        "made_on": {"git": git_state(folder), "machine": machine(), "versions": versions()},
        "recording": run.recorder.to_json(),
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict with every rule, its value and its outcome."""
    return {
        "outcome": verdict.outcome.value,
        "exit_code": int(exit_code(verdict.outcome)),
        "reason": verdict.reason,
        "notes": list(verdict.notes),
        "rules": [_rule_json(result) for result in verdict.results],
    }


def totals_json(run: Run) -> dict[str, Any]:
    """Return the figures of all requests, of each group and of each name, with and without the ramp.

    `requests_per_s` is of the requests that were sent while load was made. `kind` tells requests from measures; a
    measure's `requests` are how often it was taken, its `success_ms` its values.
    `service_ms` is `None` but in an open model, where latencies count from the intended start and it from the sending.
    `corrected_ms`, of groups in a closed model, is what their users would have seen had they not waited for slow
    answers (see `loadgate.recorder.omission`); rules do not read it.
    """
    recorder = run.recorder
    steady, loaded = steady_stages(recorder), loaded_stages(recorder)

    def figures(scope: Scope) -> dict[str, Any]:
        service = recorder.service_times(scope)
        return {
            "kind": "measure" if recorder.is_measure(scope) else "request",
            **_figures(recorder.totals(scope), recorder.totals(scope, loaded).requests, run.elapsed_s),
            "steady_success_ms": _latency(recorder.totals(scope, steady).success),
            "service_ms": _latency(service) if service.count else None,
        }

    def group_figures(scope: str, user_seconds: float) -> dict[str, Any]:
        closed = run.plan.arrivals is None
        return figures(scope) | {"corrected_ms": _corrected(recorder.totals(scope), user_seconds) if closed else None}

    return {
        "overall": group_figures(OVERALL, sum(run.user_seconds.values())),
        "groups": {group: group_figures(group, run.user_seconds[group]) for group in recorder.groups()},
        "requests": [
            {"group": request.group, "name": request.name, **figures(request)} for request in recorder.requests()
        ],
    }


def profile_json(profile: LoadProfile) -> dict[str, Any]:
    """Return the profile with plain values only."""
    return {name: _plain(value) for name, value in asdict(profile).items()}


def iso_time(epoch_s: float) -> str:
    """Return UTC time with milliseconds, as in 2026-05-01T12:00:00.000Z."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return commit, branch and whether there are changes, or `None` outside a repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {
        "commit": commit,
        "branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        "changed": bool(_git(folder, "status", "--porcelain", "--untracked-files=no")),
    }


def machine() -> dict[str, Any]:
    """Return what the generator ran on."""
    return {
        "name": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
    }


def versions() -> dict[str, str]:
    """Return the versions that shape the measurement."""
    packages = {name: metadata.version(name) for name in ("locust", "gevent", "geventhttpclient")}
    return {"python": platform.python_version(), **packages}


def _rule_json(result: RuleResult) -> dict[str, Any]:
    rule = result.rule
    return {
        "rule": str(rule),
        "scope": rule.scope,
        "metric": str(rule.metric),
        "operator": rule.operator.value,
        "limit": rule.limit,
        "unit": rule.unit.value,
        "window_s": rule.window_s,
        "abort": rule.abort,
        "stage": rule.stage,
        "outcome": result.outcome.value,
        "value": result.value,
        "samples": result.samples,
        "margin": result.margin,
        "interval": asdict(result.interval) if result.interval else None,
        "stages": result.stages,
        "value_all_stages": result.value_all_stages,
        "window_start_s": result.window_start_s,
        "reason": result.reason,
    }


def _figures(totals: Totals, sent_under_load: int, duration_s: float) -> dict[str, Any]:
    requests = totals.requests
    return {
        "requests": requests,
        "failures": totals.failures,
        "failure_rate": totals.failures / requests if requests else None,
        "requests_per_s": sent_under_load / duration_s if duration_s > 0 else None,
        "response_bytes": totals.response_bytes,
        "success_ms": _latency(totals.success),
        "failure_ms": _latency(totals.failure),
        "distribution": {"success": _buckets(totals.success), "failure": _buckets(totals.failure)},
    }


def _latency(sketch: LatencySketch) -> dict[str, float | None]:
    percentiles = {f"p{percent:g}": sketch.quantile(percent / 100) for percent in PERCENTILES}
    return {"mean": sketch.mean_ms, "min": sketch.min_ms, **percentiles, "max": sketch.max_ms}


def _buckets(sketch: LatencySketch) -> dict[str, list[int]]:
    buckets = sorted(sketch.buckets)
    return {"buckets": buckets, "samples": [sketch.buckets[bucket] for bucket in buckets]}


def _corrected(totals: Totals, user_seconds: float) -> dict[str, float | None] | None:
    everything = totals.success.copy()
    everything.merge(totals.failure)
    interval_ms = expected_interval_ms(everything, user_seconds)
    return None if interval_ms is None else _latency(corrected(totals.success, interval_ms))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
