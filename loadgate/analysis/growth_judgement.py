"""Decide whether a quantity grows faster than its budget, or reaches its limit too soon."""

from __future__ import annotations

from loadgate.analysis import growth_text as text
from loadgate.analysis.decision import Decision, RuleOutcome
from loadgate.analysis.growth import MAX_STEPS, Growth

STEP_SHARE = 0.5
"""A leak is not a few events: no three steps are this share of the growth."""

WARMED_UP = 0.95
"""The share of a warm-up that must be done at the end of the run."""


def judge_growth(growth: Growth, budget_per_s: float) -> Decision:
    """Compare a growth with a budget, in units per second.

    It fails if its lower bound exceeds the budget, the growth is large enough, and nothing speaks for its end: see
    `doubt`. It passes if its upper bound is below the budget.
    """
    if growth.high_per_s < budget_per_s:
        return Decision(RuleOutcome.PASS, "the whole interval is below the limit")
    if growth.low_per_s <= budget_per_s:
        return Decision(RuleOutcome.INCONCLUSIVE, doubt(growth) or "the limit lies inside the interval")
    if (reason := doubt_or_size(growth)) is not None:
        return Decision(RuleOutcome.INCONCLUSIVE, reason)
    return Decision(RuleOutcome.FAIL, "the whole interval is above the limit")


def doubt(growth: Growth) -> str | None:
    """Return why a growth may be a few events or come to an end. None if nothing speaks for that, or if it is small."""
    warm_up = growth.warm_up
    if warm_up is not None and warm_up.rise >= growth.minimum and warm_up.done < WARMED_UP:
        return "it is still warming up"
    if growth.increase < growth.minimum:
        return None
    if growth.step_share(MAX_STEPS) >= STEP_SHARE:
        return text.steps(growth, one=growth.step_share(1) >= STEP_SHARE)
    if not growth.continues:
        return "the growth slows down"
    return None


def doubt_or_size(growth: Growth) -> str | None:
    """Return why a growth is no leak: it is too small, a few events, or may come to an end. None if it can be one."""
    return text.too_small(growth) if growth.increase < growth.minimum else doubt(growth)


def judge_lifetime(growth: Growth, limit: float, least_s: float) -> Decision:
    """Decide whether a quantity stays below `limit` for `least_s` seconds from the end of the run.

    The growth that reaches the limit in exactly this time is the budget of `judge_growth`.
    """
    room = limit - growth.end
    if room <= 0:
        reason = f"it is at {text.amount(growth.end, growth.unit)}, and its limit is {text.amount(limit, growth.unit)}"
        return Decision(RuleOutcome.FAIL, reason)
    return judge_growth(growth, room / least_s)
