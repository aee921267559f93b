"""Decide whether a quantity grows faster than its budget, or reaches its limit too soon."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loadgate.analysis import growth_text as text
from loadgate.analysis.growth import Growth

STEP_SHARE = 0.5
"""A leak is not one event: no single step is this share of the growth."""


class GrowthOutcome(StrEnum):
    """The outcome of a comparison with a limit."""

    HOLDS = "holds"
    GROWS = "grows"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class GrowthJudgement:
    """The outcome of a comparison, and a sentence part that gives the reason."""

    outcome: GrowthOutcome
    reason: str


def judge_growth(growth: Growth, budget_per_s: float) -> GrowthJudgement:
    """Compare a growth with a budget, in units per second.

    It grows if its lower bound exceeds the budget, and nothing speaks for an end of the growth: see `why_not_a_leak`.
    It holds if its upper bound is below the budget.
    """
    if growth.high_per_s < budget_per_s:
        return GrowthJudgement(GrowthOutcome.HOLDS, "the whole interval is below the limit")
    doubt = why_not_a_leak(growth)
    if growth.low_per_s <= budget_per_s:
        return GrowthJudgement(GrowthOutcome.UNDECIDED, doubt or text.sensitivity(growth))
    if doubt:
        return GrowthJudgement(GrowthOutcome.UNDECIDED, doubt)
    return GrowthJudgement(GrowthOutcome.GROWS, "the whole interval is above the limit")


def why_not_a_leak(growth: Growth) -> str | None:
    """Return why a growth can be a single event or come to an end, or None if nothing speaks for that."""
    if growth.increase <= 0:
        return None
    if growth.step_share >= STEP_SHARE and growth.largest_step >= growth.minimum:
        return f"one step of {text.amount(growth.largest_step, growth.unit)} is most of the growth"
    if not growth.continues:
        return "it is still warming up" if growth.warm_up else "the growth slows down"
    if growth.increase < growth.minimum:
        return f"a growth of {text.amount(growth.increase, growth.unit)} in the run is too small to be judged"
    return None


def judge_lifetime(growth: Growth, limit: float, least_s: float) -> GrowthJudgement:
    """Decide whether a quantity stays below `limit` for `least_s` seconds from the end of the run.

    The growth that reaches the limit in exactly this time is the budget of `judge_growth`.
    """
    room = limit - growth.end
    if room <= 0:
        reason = f"it is at {text.amount(growth.end, growth.unit)}, and its limit is {text.amount(limit, growth.unit)}"
        return GrowthJudgement(GrowthOutcome.GROWS, reason)
    return judge_growth(growth, room / least_s)
