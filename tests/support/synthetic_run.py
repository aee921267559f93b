"""Run documents of any length and width, made without running anything: a day with 50 request names takes seconds."""

from __future__ import annotations

import functools
import pickle
import random
from collections.abc import Iterator
from dataclasses import dataclass

from loadgate.recorder import RAMP, STEADY, FinishedRequest, Outcome, Recorder, RequestIds
from loadgate.recorder.cells import ROLL_UPS, Cell, CellSeries, SeriesKey, Slot
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from loadgate.rules import parse_rules
from loadgate.run.document import RunDocument
from loadgate.run.document.environment import GeneratorRecord
from loadgate.run.health import saturation
from loadgate.run.judgement import EndedBy
from loadgate.run.load_state import Cause, Stopped
from loadgate.run.plan import Plan
from loadgate.run.state import Run
from loadgate.shape.profile import LoadProfile
from tests.support.run_documents import judged

STARTED_S = 1_777_593_600
"""2026-05-01T00:00:00Z."""

RAMP_S = 20
_POOL = 8
"""Cells of one name and width that take turns, so that a long run needs no more random numbers than a short one."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """What run to make. The rules follow from it: a p95 for each group, and one for the share of failures."""

    duration_s: int = 600
    names: int = 15
    requests_per_s: float = 100.0
    """Of all names together."""
    failure_share: float = 0.002
    p95_limit_ms: float = 500.0
    failure_limit: str = "1%"
    judged_groups: int = 5
    """The number of groups with a rule. Most of the time to make the document of a day is for the rules."""
    users: int = 50
    ended_by: EndedBy = EndedBy.TIME
    saturated: bool = False
    all_resources: bool = False
    """Whether the record of resources has 25 columns instead of 7."""
    seed: int = 1


DAY = Synthetic(duration_s=24 * 3600, names=50)


def synthetic_document(wanted: Synthetic | None = None) -> RunDocument:
    """Return the document of such a run."""
    document: RunDocument = pickle.loads(_pickled(wanted or Synthetic()))  # noqa: S301 - our own
    return document


@functools.lru_cache(maxsize=16)
def _pickled(wanted: Synthetic) -> bytes:
    """Make a document once for the many tests that ask for it; each gets a copy that it may change."""
    return pickle.dumps(judged(synthetic_run(wanted)))


def synthetic_run(wanted: Synthetic) -> Run:
    """Return such a run, ended."""
    rnd = random.Random(wanted.seed)
    recorder = Recorder()
    for number in range(wanted.names):
        _fill(recorder, wanted, number, rnd)
    rules = [f"{group}: p95 < {wanted.p95_limit_ms:g}ms" for group in recorder.groups()[: wanted.judged_groups]]
    profile = LoadProfile(name="synthetic", description="made for a test", users=wanted.users, run_time="10m")
    plan = Plan(
        profile,
        tuple(parse_rules([*rules, f"overall: failures < {wanted.failure_limit}"])),
        "http://127.0.0.1:8000",
        wanted.users,
        wanted.users / RAMP_S,
        float(wanted.duration_s),
        10.0,
        1,
        {"HealthUser": 1, "AuthUser": 2},
    )
    stopped = Stopped(Cause(wanted.ended_by), float(STARTED_S + wanted.duration_s))
    run = Run(plan, recorder, float(STARTED_S), load=stopped)
    run.stages = [(0.0, RAMP), (float(STARTED_S + RAMP_S), STEADY)]
    step_s = max(1, wanted.duration_s // 20_000)
    for second in range(0, wanted.duration_s, step_s):
        run.user_counts.append((STARTED_S + second, min(wanted.users, 1 + second * wanted.users // RAMP_S)))
    health = GeneratorRecord(
        process="process",
        cpu_mean_share=0.31,
        cpu_peak_share=0.97 if wanted.saturated else 0.42,
        lag_p99_ms=12.5,
        lag_max_ms=80.1,
        lag_samples=20 * wanted.duration_s,
        cpu_limit_share=0.9,
        lag_limit_ms=250.0,
        problem=None,
    )
    _fill_resources(run.resources, wanted, rnd)
    run.health["process"] = health.model_copy(update={"problem": saturation(health)})
    return run


def _fill_resources(record: ResourceRecord, wanted: Synthetic, rnd: random.Random) -> None:
    for second in range(wanted.duration_s):
        values = _api_and_database(wanted, second, rnd)
        if wanted.all_resources:
            values |= _other_resources(second, rnd)
        record.put(STARTED_S + second, values)
    record.notes.append("no process of 'worker' was found")
    record.sampler_cpu_share = 0.0021


def _column(
    resource: str, quantity: str, unit: ResourceUnit = ResourceUnit.COUNT, flow: bool = False
) -> ResourceColumn:
    return ResourceColumn(resource, quantity, ColumnKind.FLOW if flow else ColumnKind.LEVEL, unit)


def _api_and_database(wanted: Synthetic, second: int, rnd: random.Random) -> dict[ResourceColumn, float | None]:
    waiting = wanted.requests_per_s * rnd.uniform(0.9, 1.1)
    return {
        _column("api", "memory", ResourceUnit.BYTES): 1e8 + 20_000 * second + rnd.randrange(10**6),
        _column("api", "cpu", ResourceUnit.SECONDS, flow=True): rnd.uniform(0.2, 0.4),
        _column("api", "open_files"): 40 + rnd.randrange(5),
        _column("database", "connections"): rnd.randrange(10),
        _column("database", "connections.limit"): 20,
        _column("database", "wait.count", flow=True): waiting,
        _column("database", "wait.sum", ResourceUnit.SECONDS, flow=True): waiting * 0.0004,
    }


def _other_resources(second: int, rnd: random.Random) -> dict[ResourceColumn, float | None]:
    """Return 18 more columns, which makes 25. PSS is measured once a minute."""
    values: dict[ResourceColumn, float | None] = {
        _column("api", "cpu.limit"): 2,
        _column("api", "loop_lag.sum", ResourceUnit.SECONDS, flow=True): rnd.expovariate(1 / 0.06),
        _column("api", "loop_lag.count", flow=True): 20,
        _column("queue", "depth"): max(0, rnd.gauss(2000, 300)) // 1,
        _column("machine", "cpu", ResourceUnit.SECONDS, flow=True): rnd.uniform(1.1, 1.6),
        _column("redis", "memory.limit", ResourceUnit.BYTES): 256e6,
    }
    for resource, base in (("api", 1e8), ("worker", 2.1e8), ("redis", 1.2e7)):
        values[_column(resource, "threads")] = 12 + rnd.randrange(2)
        values[_column(resource, "pss", ResourceUnit.BYTES)] = (
            None if second % 60 else base * 1.1 + rnd.randrange(10**6)
        )
        if resource != "api":
            values[_column(resource, "memory", ResourceUnit.BYTES)] = base + 3e6 * (second % 45) / 45
            values[_column(resource, "cpu", ResourceUnit.SECONDS, flow=True)] = rnd.uniform(0.02, 0.3)
            values[_column(resource, "open_files")] = 18 + rnd.randrange(3)
    return values


def _fill(recorder: Recorder, wanted: Synthetic, number: int, rnd: random.Random) -> None:
    group, name = f"group {number % 5}", f"Name {number:02d} - GET item"
    median_ms, rate = 5.0 * (1 + number % 12), wanted.requests_per_s / wanted.names

    def cell(width_s: int, slow: float) -> Cell:
        made = Cell()
        for _ in range(_chance_count(rate * width_s, rnd)):
            made.record(median_ms * slow * rnd.lognormvariate(0, 0.5), rnd.randrange(200, 2000), None)
        return made

    widths_s = sorted({width_s for _, _, width_s in _slots(wanted.duration_s)})
    pools = {
        (width_s, slow): [cell(width_s, slow) for _ in range(_POOL)] for width_s in widths_s for slow in (1.0, 4.0)
    }
    for stage, start_s, width_s in _slots(wanted.duration_s):
        # Every half hour (every minute of a short run) comes a spell in which answers take four times as long.
        period_s = 1800 if wanted.duration_s > 3600 else 60
        slow = 4.0 if start_s % period_s > period_s * 0.93 else 1.0
        made = rnd.choice(pools[width_s, slow])
        if made.latency.count:
            slot = Slot(STARTED_S + start_s, width_s, made)
            _series(recorder, SeriesKey(group, name, Outcome.SUCCESS, stage)).add(slot)
    failures = round(wanted.requests_per_s * wanted.duration_s * wanted.failure_share / wanted.names)
    for failure in range(min(failures, 2000)):
        trace_id = f"{rnd.getrandbits(128):032x}"
        at_s = STARTED_S + rnd.random() * (wanted.duration_s - 1)
        recorder.record(
            FinishedRequest(
                name,
                Outcome.FAILURE,
                start_s=at_s,
                latency_ms=rnd.uniform(1, 30),
                error=("HTTP 503", "expected a JSON object", "TimeoutError: no answer")[failure % 3],
                group=group,
                ids=lambda trace_id=trace_id: RequestIds(trace_id, trace_id[:16]),
            ),
            STEADY if at_s > STARTED_S + RAMP_S else RAMP,
        )
    slow_ids = RequestIds(f"{rnd.getrandbits(128):032x}", f"{rnd.getrandbits(64):016x}")
    at_s = STARTED_S + wanted.duration_s * rnd.uniform(0.8, 0.95)
    recorder.record(
        FinishedRequest(
            name, Outcome.SUCCESS, start_s=at_s, latency_ms=1000 + 10 * number, group=group, ids=lambda: slow_ids
        )
    )


def _chance_count(expected: float, rnd: random.Random) -> int:
    return max(0, round(rnd.gauss(expected, expected**0.5)))


def _slots(duration_s: int) -> Iterator[tuple[str, int, int]]:
    """Stage, offset and width of the slots of such a run, as a recorder has them at its end."""
    at_s = 0
    while at_s < duration_s:
        age_s = duration_s - at_s
        width_s = next((step.width_s for step in reversed(ROLL_UPS) if age_s > step.older_than_s), 1)
        yield RAMP if at_s < RAMP_S else STEADY, at_s, width_s
        at_s += width_s


def _series(recorder: Recorder, key: SeriesKey) -> CellSeries:
    return recorder._series.setdefault(key, CellSeries())
