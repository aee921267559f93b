"""The live state of a run, as values that can be sent from one process to another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from loadgate.live.resources import ResourceReading, readings
from loadgate.live.rules import LiveRules
from loadgate.recorder import Recorder
from loadgate.report.text import printable
from loadgate.run.document import RuleRecord
from loadgate.run.document.parts import Part
from loadgate.run.state import Run

RATE_WINDOW_S = 5
"""The current rate is the mean of this many complete seconds."""


class LiveState(Part):
    """The state of a run. Rates cover the last RATE_WINDOW_S. Counts cover the whole run. Shares are fractions of 1.

    The rules have the outcomes that they would have if the run ended now.
    """

    profile: str
    host: str
    stage: str
    elapsed_s: float
    planned_s: float | None
    is_stopping: bool
    users: int
    requests: int
    failures: int
    newest_failure: str
    """The name and the error of the request that failed last, on one line. Empty without a failure."""
    requests_per_s: float
    failures_per_s: float
    cpu_share: float | None
    """The CPU use of the busiest generator process, as a share of one core. `None` until it is known."""
    cpu_limit_share: float
    rules: list[RuleRecord]
    rules_at_end: list[str]
    """Further rules, which are known only at the end of the run."""
    resources: list[ResourceReading]
    """The current use of the target's resources. Empty if nothing samples them."""


def live_state(
    run: Run,
    rules: LiveRules,
    *,
    users: int,
    cpu_share: float | None,
    cpu_limit_share: float,
    behind_s: int,
    between: Callable[[], None],
) -> LiveState:
    """Return the state of a run without the last `behind_s` seconds, which may be incomplete.

    `between` is called after each rule, so that other greenlets can run.
    """
    now_s = time.time()
    complete_until_s = int(now_s) - behind_s
    context = replace(run.facts().context(), intervals=False)
    results = rules.results(context, complete_until_s, between)
    totals = rules.figures.totals()
    since_s = max(complete_until_s - RATE_WINDOW_S, int(run.started_s))
    slots = [slot for slot in run.recorder.time_slots(since_s=since_s) if slot.start_s < complete_until_s]
    seconds = max(1, complete_until_s - since_s)
    return LiveState(
        profile=run.plan.profile.name,
        host=run.plan.host,
        stage=run.stage_at(now_s),
        elapsed_s=round(run.elapsed_s, 1),
        planned_s=run.plan.run_time_s,
        is_stopping=run.is_stopped,
        users=users,
        requests=totals.requests,
        failures=totals.failures,
        newest_failure=newest_failure(run.recorder),
        requests_per_s=round(sum(slot.totals.requests for slot in slots) / seconds, 3),
        failures_per_s=round(sum(slot.totals.failures for slot in slots) / seconds, 3),
        cpu_share=cpu_share,
        cpu_limit_share=cpu_limit_share,
        rules=[RuleRecord.of(result) for result in results],
        rules_at_end=[str(rule) for rule in run.plan.rules if rule.is_known_at_end and not rule.needs_search],
        resources=readings(run.resources, now_s),
    )


def newest_failure(recorder: Recorder) -> str:
    """Return the name and the error of the request that failed last, on one line. "" without a failure."""
    newest = max(recorder.errors(), key=lambda error: error.last_s, default=None)
    return "" if newest is None else printable(f"{newest.name}: {newest.text}")
