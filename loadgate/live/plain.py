"""The state of a run as one line, for logs and terminals that cannot show more."""

from __future__ import annotations

from loadgate.live.state import LiveState, RuleState
from loadgate.report.text import milliseconds, rule_conditions, rule_quantity

STATE_WORDS = {"pass": "ok", "fail": "BROKEN", "inconclusive": "open"}


def plain_line(state: LiveState) -> str:
    """Return how far a run is: time, stage, users, rates, and each rule's value beside its limit."""
    planned = f"/{state.planned_s:.0f}" if state.planned_s else ""
    parts = [
        f"{state.elapsed_s:.0f}{planned} s{', waiting for the last answers' if state.is_stopping else ''}",
        state.stage,
        f"{state.users} {'user' if state.users == 1 else 'users'}",
        f"{state.requests:,} requests ({state.requests_per_s:.1f}/s)",
        f"{state.failures} failed",
        *(rule_words(rule) for rule in state.rules),
    ]
    return " | ".join(parts)


def rule_words(rule: RuleState) -> str:
    """Return a rule's name, value, limit and state, as in `auth p95 82.1 ms < 500 ms ok`."""
    value = rule_quantity(rule, rule.value)
    return f"{rule_name(rule)} {value} {rule.operator} {shown_limit(rule)} {STATE_WORDS[rule.outcome]}"


def rule_name(rule: RuleState) -> str:
    """Return what a rule is about, as in `auth p95 over 10 s`."""
    return f"{rule.scope} {rule.metric}{rule_conditions(rule.window_s, rule.stage)}"


def shown_limit(rule: RuleState) -> str:
    """Return the limit in the rule's unit, without digits that say nothing."""
    return f"{rule.limit:,.10g} {rule.unit}".strip()


def shown_value(rule: RuleState) -> str:
    """Return the value in the rule's unit, without the unit where the limit has it."""
    if rule.unit == "ms":
        return milliseconds(rule.value).removesuffix(" ms")
    return rule_quantity(rule, rule.value).removesuffix(" %").removesuffix("/s")
