"""Decide whether a quantity grows faster than its budget, or reaches its limit too soon."""

from __future__ import annotations

from loadgate.analysis.decision import Decision, RuleOutcome
from loadgate.analysis.growth import text
from loadgate.analysis.growth.growth import MAX_STEPS, Growth
from loadgate.units import outlook

STEP_SHARE = 0.5
"""The growth may be a few events if its three largest steps are at least this share of it."""

WARMED_UP = 0.95
"""The share of a warm-up that must be done at the end of the run."""


def judge_growth(growth: Growth, budget_per_s: float) -> Decision:
    """Compare a growth with a budget, in units per second.

    It passes if its upper bound is below the budget. It fails if its lower bound exceeds the budget, the growth is
    large enough, and there is no `doubt` that it continues.
    """
    if growth.high_per_s < budget_per_s:
        return Decision(RuleOutcome.PASS, "the whole 95 % interval is below the limit")
    if growth.low_per_s <= budget_per_s:
        return Decision(RuleOutcome.INCONCLUSIVE, doubt(growth) or "the limit lies inside the 95 % interval")
    if (reason := doubt_or_size(growth)) is not None:
        return Decision(RuleOutcome.INCONCLUSIVE, reason)
    return Decision(RuleOutcome.FAIL, "the whole 95 % interval is above the limit")


def doubt(growth: Growth) -> str | None:
    """Return a clause that says why a growth may be a few events or may end. None without a doubt or a growth."""
    warm_up = growth.warm_up
    if warm_up is not None and warm_up.rise >= growth.minimum and warm_up.done < WARMED_UP:
        return "the warm-up has not ended"
    if growth.increase < growth.minimum:
        return None
    if growth.step_share(MAX_STEPS) >= STEP_SHARE:
        return text.steps(growth, one=growth.step_share(1) >= STEP_SHARE)
    if not growth.continues:
        return "the growth slowed down towards the end"
    return None


def doubt_or_size(growth: Growth) -> str | None:
    """Return a clause that says why a growth need not be a leak: it is too small, or see `doubt`. None if it may be."""
    return text.too_small(growth) if growth.increase < growth.minimum else doubt(growth)


def judge_lifetime(growth: Growth, limit: float, least_s: float) -> Decision:
    """Decide whether a quantity stays below `limit` for `least_s` seconds from the end of the run.

    The growth that reaches the limit in exactly this time is the budget of `judge_growth`.
    """
    room = limit - growth.end
    if room <= 0:
        end, allowed = text.amount(growth.end, growth.unit), text.amount(limit, growth.unit)
        reason = f"the value at the end was {end}, and the limit is {allowed}"
        return Decision(RuleOutcome.FAIL, reason)
    judged = judge_growth(growth, room / least_s)
    if judged.outcome is RuleOutcome.FAIL:
        return Decision(judged.outcome, f"the whole 95 % interval is below {outlook(least_s)}")
    return judged
