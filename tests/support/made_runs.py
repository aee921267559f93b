"""Small run documents with given latencies, commit, load and machine, for tests that compare runs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from loadgate.paths import write_atomically
from loadgate.recorder import RAMP, STEADY, FinishedRequest, Outcome
from loadgate.rules import parse_rules
from loadgate.run.document import RUN_FILE, GitRecord, RunDocument
from loadgate.run.document.environment import FingerprintRecord
from loadgate.run.document.parts import iso_time
from loadgate.run.judgement import EndedBy
from loadgate.run.load_state import Cause, Stopped
from loadgate.run.plan import Plan
from loadgate.run.state import Run
from loadgate.shape.profile import LoadProfile
from tests.support.run_documents import MADE_ON, judged

DAY_S = 86_400
STARTED_S = 1_777_593_600.0
"""2026-05-01T00:00:00Z."""
COMMIT = "8f14e45fceea167a5a36dedd4bea2543a1b2c3d4"
RULES = ("auth: p95 < 500ms", "overall: failures < 5%", "overall: requests > 10")


@dataclass(frozen=True, slots=True)
class Made:
    """What run to make. Each of the groups `auth` and `health` has half of the requests."""

    day: int = 0
    slow: float = 1.0
    """The factor of all latencies of the group auth, whose median is 100 ms."""
    failures: int = 0
    requests: int = 400
    in_ramp: int = 0
    """The number of the first requests that belong to the ramp. They take four times as long."""
    seed: int = 1
    users: int = 5
    profile: str = "light"
    commit: str | None = COMMIT
    load: str | None = "10ad10ad10ad"
    machine: str = "c1a55c1a55c1"
    suite: str = "5017e5017e50"
    rules: tuple[str, ...] = RULES
    ended_by: EndedBy = EndedBy.TIME


def made_run(wanted: Made | None = None) -> RunDocument:
    """Return the document of such a run."""
    wanted = wanted or Made()
    started_s = STARTED_S + wanted.day * DAY_S
    profile = LoadProfile(name=wanted.profile, description="made for a test", users=wanted.users, run_time="1m")
    rules = tuple(parse_rules(list(wanted.rules)))
    plan = Plan(profile, rules, "http://127.0.0.1:1", wanted.users, 1.0, 60.0, 10.0, 1, {"AUser": 1})
    run = Run(plan, started_s=started_s, load=Stopped(Cause(wanted.ended_by), started_s + 60.0))
    run.stages = [(0.0, "ramp"), (started_s + 5, "steady")]
    rnd = random.Random(wanted.seed)
    for number in range(wanted.requests):
        group, factor = ("health", 0.1) if number % 2 else ("auth", wanted.slow)
        is_ramp = number < wanted.in_ramp
        run.recorder.record(
            FinishedRequest(
                f"GET {group}",
                Outcome.FAILURE if number < wanted.failures else Outcome.SUCCESS,
                start_s=started_s + 60 * number / wanted.requests,
                latency_ms=(400 if is_ramp else 100) * factor * rnd.lognormvariate(0, 0.4),
                error="HTTP 500" if number < wanted.failures else "",
                group=group,
            ),
            RAMP if is_ramp else STEADY,
        )
    return _made_on(judged(run), wanted)


def _made_on(document: RunDocument, wanted: Made) -> RunDocument:
    fingerprint = FingerprintRecord(
        machine=wanted.machine, profile=wanted.load or "", rules="4013", suite=wanted.suite, test="7e57"
    )
    made_on = MADE_ON.model_copy(
        update={
            "git": GitRecord(commit=wanted.commit, branch="main", changed=False) if wanted.commit else None,
            "fingerprint": fingerprint if wanted.load else None,
        }
    )
    return document.model_copy(update={"made_on": made_on})


def keep_run(runs: Path, wanted: Made) -> Path:
    """Write the run.json of such a run to a folder in `runs`, and return the folder."""
    document = made_run(wanted)
    stamp = iso_time(document.run.started_s)[:19].replace("-", "").replace(":", "")
    folder = runs / f"{stamp}Z-{wanted.profile}"
    write_atomically(folder / RUN_FILE, document.to_json())
    return folder
