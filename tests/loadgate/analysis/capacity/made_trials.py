"""Trials of targets that hold up to a known rate."""

from __future__ import annotations

from collections.abc import Callable

from loadgate.analysis.capacity.plan import End, NextTrial, SearchPlan
from loadgate.analysis.capacity.search import Search
from loadgate.analysis.capacity.trial import Criterion, Second, Trial, Void

RULE = Criterion("overall: p95 < 500ms", 0.05)

Measured = Callable[[NextTrial], Trial]


def trial(rate_per_s: float, share: float, *, length_s: float = 30, **changes: object) -> Trial:
    """Return a trial with a constant share of bad requests, and no queue."""
    requests = max(1, round(rate_per_s))
    second = Second(requests, round(share * requests))
    values = {
        "seconds": {RULE.rule: (second,) * int(length_s)},
        "arrivals": rate_per_s * length_s,
        "completions": rate_per_s * length_s,
        "in_flight": (1.0,) * int(length_s),
    }
    return Trial(rate_per_s, length_s, **values | changes)  # type: ignore[arg-type]


def void(rate_per_s: float, *, by_generator: bool) -> Trial:
    return Trial(rate_per_s, 30, void=Void("it was late", by_generator))


def up_to(capacity_per_s: float) -> Measured:
    """Return what a target measures that is slow above its capacity."""
    return lambda step: trial(step.rate_per_s, step.rate_per_s > capacity_per_s, length_s=step.length_s)


def plan(**changes: object) -> SearchPlan:
    return SearchPlan((RULE,), **changes)  # type: ignore[arg-type]


def search(plan: SearchPlan, measured: Measured, starting_s: float = 5.0) -> tuple[End, Search, list[NextTrial]]:
    """Carry out a search. Return its end, its state and its steps."""
    state, steps = Search(plan), []
    while isinstance(step := state.step(), NextTrial):
        steps.append(step)
        state.add(step, measured(step), step.rest_s + plan.settle_s + step.length_s + starting_s)
        assert len(steps) < 200
    return step, state, steps
