"""The conclusion of a search: its outcome, its sentence, what broke first, and what gave out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from loadgate.analysis.capacity.level import QUEUE, Level, State, least_requests
from loadgate.analysis.capacity.next_rate import Bounds
from loadgate.analysis.capacity.plan import End, Ending
from loadgate.report.capacity.document import CapacityResult, LevelRecord, LimitRecord, RuleCapacity, SearchRecord
from loadgate.report.capacity.use import gave_out
from loadgate.rules import RuleOutcome
from loadgate.units import compact_duration, count, figure, given, given_percentage, milliseconds, percentage, plain

_WORST_FIRST = (RuleOutcome.FAIL, RuleOutcome.INCONCLUSIVE, RuleOutcome.PASS)


def result_of(
    end: End,
    levels: Sequence[Level],
    records: Sequence[LevelRecord],
    rules: Mapping[str, Bounds],
    *,
    search: SearchRecord,
    limits: Sequence[LimitRecord] = (),
) -> CapacityResult:
    """Return the result of a search. `rules` are the bounds of each rule by itself, `limits` those on the capacity."""
    at_least = search.at_least_per_s
    breaking = _breaking(end, records)
    first = end.fit.rule if end.fit is not None else breaking.broken[0] if breaking and breaking.broken else ""
    value = _value(breaking, first) if breaking is not None else ""
    used_up = gave_out(breaking) if breaking is not None else []
    main = _sentence(end, at_least)
    clauses = [main, *_fit_clauses(end, search.width)]
    if first:
        clauses.append(f"first to break: {first}{f' ({value})' if value else ''}")
    clauses += used_up
    if unsettled := _unsettled(levels):
        clauses.append(unsettled)
    elif end.holds is None and (too_few := _too_few_requests(levels)):
        clauses.append(too_few)
    return CapacityResult(
        ending=end.ending,
        outcome=outcome_of(end, at_least, limits),
        sentence="; ".join(clauses),
        holds_per_s=end.holds,
        breaks_per_s=end.breaks,
        is_confirmed=end.is_confirmed,
        reason=end.reason,
        first_broken=first,
        broken_value=value,
        gave_out=used_up,
        rules=[
            RuleCapacity(rule=rule, holds_per_s=bounds.holds, breaks_per_s=bounds.breaks)
            for rule, bounds in rules.items()
        ],
        limits=list(limits),
        curve_trials=end.fit.trials if end.fit is not None else 0,
        wanted_budget_s=end.wanted_budget_s,
    )


def _breaking(end: End, records: Sequence[LevelRecord]) -> LevelRecord | None:
    """Return the rate at the upper bound. The bound of a curve need not have been tried: then the next higher rate."""
    if end.breaks is None:
        return None
    return next((record for record in records if record.rate_per_s >= end.breaks), None)


def _fit_clauses(end: End, width: float) -> list[str]:
    if end.fit is None:
        return []
    found = [f"the bounds come from a curve through {count(end.fit.trials)} trials"]
    if end.wanted_budget_s is not None:
        step_s = 600 if end.wanted_budget_s < 7200 else 3600
        budget = compact_duration(step_s * math.ceil(end.wanted_budget_s / step_s))
        found.append(f"--budget {budget} would bring them within about {given_percentage(width)}")
    return found


def outcome_of(end: End, at_least: float | None, limits: Sequence[LimitRecord] = ()) -> RuleOutcome:
    """Return the outcome of a search.

    With a rate to keep, it holds, breaks or is undecided. With rules on the capacity, the worst of them decides.
    Without either, a search passes with two bounds of which the lower one is confirmed, and fails if no rate holds.
    A search that was stopped never passes.
    """
    found = _outcome(end, at_least, limits)
    return RuleOutcome.INCONCLUSIVE if end.is_stopped and found is RuleOutcome.PASS else found


def _outcome(end: End, at_least: float | None, limits: Sequence[LimitRecord]) -> RuleOutcome:
    if at_least is not None:
        if end.holds is not None:
            return RuleOutcome.PASS
        return RuleOutcome.FAIL if end.breaks is not None else RuleOutcome.INCONCLUSIVE
    if end.ending is Ending.NONE:
        return RuleOutcome.FAIL
    if limits:
        outcomes = {limit.outcome for limit in limits}
        return next(outcome for outcome in _WORST_FIRST if outcome in outcomes)
    has_both = end.holds is not None and end.breaks is not None and end.is_confirmed
    return RuleOutcome.PASS if has_both else RuleOutcome.INCONCLUSIVE


def _sentence(end: End, at_least: float | None) -> str:
    holds, breaks = (None if rate is None else given(rate, "/s") for rate in (end.holds, end.breaks))
    reason = f"; {end.reason}" if end.reason else ""
    if at_least is not None:
        rate = given(at_least, "/s")
        if end.holds is None and end.breaks is None:
            return f"it is undecided whether {rate} is sustained{reason}"
        return f"sustains at least {rate}" if end.holds is not None else f"does not sustain {rate}"
    if end.ending is Ending.NONE:
        return f"no rate holds: {breaks}, the lowest tried, breaks"
    if holds is None:
        below = f"breaks at {breaks}, and no lower rate was found to hold" if breaks else "no rate was found to hold"
        return below + reason
    if breaks is None:
        return f"at least {holds}{_unconfirmed(end)}{reason}"
    wide = "" if end.ending is Ending.SUSTAINS else f", {percentage((end.breaks or 0) / (end.holds or 1) - 1)} apart"
    bounds = f"[holds at {figure_of(end.holds)}, breaks at {figure_of(end.breaks)}{wide}]"
    return f"sustains {holds} {bounds}{_unconfirmed(end)}{reason}"


def figure_of(rate_per_s: float | None) -> str:
    """Return a rate as it was tried, without its unit."""
    return plain(rate_per_s) if rate_per_s is not None else "-"


def _unconfirmed(end: End) -> str:
    return "" if end.is_confirmed else ", not confirmed"


def _value(level: LevelRecord, rule: str) -> str:
    """Return the value of what broke: the percentile, or the share of failures or completions.

    "" if the trials at this rate do not show it, because the upper bound comes from a curve.
    """
    if rule == QUEUE:
        return f"{percentage(level.completion)} of the arrivals were completed"
    for share in level.shares:
        if share.rule == rule and share.requests and share.bad > share.limit * share.requests:
            if share.value_ms is not None:
                return milliseconds(share.value_ms)
            bad = percentage(share.bad / share.requests, share.limit)
            return f"{bad} of the requests"
    return ""


def _unsettled(levels: Iterable[Level]) -> str:
    """Return a hint if a rate is undecided only because the trials are too short for the queue of the target."""
    slow = [level for level in levels if level.state is State.UNDECIDED and not level.is_settled]
    if not slow:
        return ""
    longest = max(level.autocorrelation.seconds for level in slow)
    rates = ", ".join(figure_of(level.rate_per_s) for level in slow[:3])
    return (
        f"at {rates}/s the queue needs about {figure(longest)} s to settle; a longer --trial and --settle would decide"
    )


def _too_few_requests(levels: Iterable[Level]) -> str:
    """Return a hint if an undecided rate has too few requests for a rule, whatever their latencies are."""
    found = [
        (least, share.requests, share.criterion.rule, level.rate_per_s)
        for level in levels
        if level.state is State.UNDECIDED
        for share in level.shares
        if share.requests < (least := least_requests(share.criterion.limit))
    ]
    if not found:
        return ""
    least, requests, rule, rate_per_s = max(found, key=lambda one: (one[0], one[-1]))
    if not requests:
        return f"at {given(rate_per_s, '/s')}, no request belongs to {rule}"
    few = f"at {given(rate_per_s, '/s')}, {rule} cannot hold with {count(requests)} requests"
    return f"{few}; it needs at least {count(least)}, so a longer --trial would decide"
