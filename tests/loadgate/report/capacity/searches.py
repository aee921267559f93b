"""Documents of searches for the tests of their files."""

from __future__ import annotations

from collections.abc import Mapping

from loadgate.analysis.capacity.crossing import rule_bounds
from loadgate.analysis.capacity.level import Level, level_of
from loadgate.analysis.capacity.plan import End, Ending, Purpose
from loadgate.analysis.capacity.trial import Criterion, Second, Trial
from loadgate.report.capacity.conclusion import result_of
from loadgate.report.capacity.document import (
    CapacityDocument,
    Latencies,
    LevelRecord,
    ResourceUse,
    SearchRecord,
    ShareRecord,
    TrialRecord,
    UnjudgedRule,
)
from loadgate.report.capacity.limits import judged_limits
from loadgate.rules import parse_rules
from loadgate.run.document.parts import iso_time

RULE = "auth: p95 < 500ms"
CRITERION = Criterion(RULE, 0.05)
STARTED_AT = iso_time(1_777_593_600.0)
FOUND = End(Ending.SUSTAINS, 184, 192, is_confirmed=True)
RATES: dict[float, float] = {20: 0.0, 92: 0.0, 184: 0.01, 192: 0.5, 384: 1.0}


def level(rate_per_s: float, share: float, seconds: int = 30) -> Level:
    second = Second(100, round(100 * share))
    arrivals = 100 * seconds
    trial = Trial(rate_per_s, seconds, {RULE: (second,) * seconds}, arrivals, arrivals, 0.0, (1.0,) * seconds)
    return level_of([trial], [CRITERION])


def record(found: Level) -> LevelRecord:
    (share,) = found.shares
    p95_ms = 400 + 1000 * share.bad / share.requests
    resources = [
        ResourceUse(resource="api", quantity="cpu", used=min(1.0, found.rate_per_s / 190), limit=None),
        ResourceUse(resource="machine", quantity="cpu", used=min(1.98, found.rate_per_s / 95), limit=2.0),
        ResourceUse(resource="database", quantity="connections", used=3.0, limit=20.0),
        ResourceUse(resource="database", quantity="connections", wait_ms=found.rate_per_s / 2),
    ]
    return LevelRecord(
        rate_per_s=found.rate_per_s,
        state=found.state,
        trials=len(found.trials),
        completion=found.queue.completion,
        broken=list(found.broken),
        undecided=list(found.undecided),
        shares=[
            ShareRecord(
                rule=RULE, bad=share.bad, requests=share.requests, value_ms=p95_ms, limit=0.05, low=0.0, high=1.0,
                state=share.state,
            )
        ],
        latencies=Latencies(p50_ms=p95_ms / 3, p95_ms=p95_ms, p99_ms=p95_ms * 2),
        resources=resources,
    )  # fmt: skip


def document(
    end: End = FOUND,
    *,
    at_least: float | None = None,
    profile: str = "medium",
    started_at: str = STARTED_AT,
    rules: str = "",
    rates: Mapping[float, float] = RATES,
    seconds: int = 30,
) -> CapacityDocument:
    levels = [level(rate, share, seconds) for rate, share in rates.items()]
    records = [record(found) for found in levels]
    search = SearchRecord(
        profile=profile, target="a fresh target for each trial", first_per_s=5, to_per_s=None,
        at_least_per_s=at_least, width=0.05, trial_s=30, confirm_s=120, settle_s=5, budget_s=900, seed=1,
    )  # fmt: skip
    limits = judged_limits(parse_rules(rules), end)
    return CapacityDocument(
        schema_version=1,
        started_at=started_at,
        search=search,
        result=result_of(end, levels, records, rule_bounds((), levels, [CRITERION]), search=search, limits=limits),
        not_judged=[UnjudgedRule(rule="auth: requests > 10", reason="only upper limits are judged")],
        levels=records,
        trials=[
            TrialRecord(
                number=1, purpose=Purpose.GROW, rate_per_s=20, length_s=15, started_at=started_at, folder="trials/01",
                void="",
            )
        ],
        load_hash="0123456789ab",
        made_on=None,
    )  # fmt: skip
