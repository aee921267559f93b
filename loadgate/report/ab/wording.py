"""Texts of a comparison that the console, the summary and the page share."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from loadgate.analysis.ab import text
from loadgate.analysis.ab.result import AbResult, Change, Guard, NameChange
from loadgate.analysis.ab.segments import Metric
from loadgate.analysis.interval import Interval
from loadgate.report.ab.document import PlanRecord, SideRecord
from loadgate.report.text import SHORT_COMMIT
from loadgate.units import (
    change,
    change_range,
    compact_duration,
    count,
    duration,
    given,
    given_percentage,
    plain,
    signed_size,
)

_CONDITIONS = {"control": "same machine speed", "rate": "same arrival rate", "pairs": "enough pairs"}

MAX_IN_SENTENCE = 4
"""The maximum number of rules or names that a sentence lists."""


def value_text(item: Change, value: float | None) -> str:
    """Return the value of one side."""
    return text.value_text(item.measure, value)


def change_text(item: Change) -> str:
    """Return a change, as in `+17.0 %`."""
    return text.signed(item.measure, item.change)


def interval_text(item: Change) -> str:
    """Return the confidence interval of a change, as in `+13.0 to +21.0 %`. "-" if there is none."""
    interval = item.interval
    return "-" if interval is None else text.signed_range(item.measure, interval.low, interval.high)


def detectable_text(item: Change) -> str:
    """Return the smallest change that the pairs would have found."""
    return text.signed(item.measure, item.detectable)


def reason_text(item: Change) -> str:
    """Return the reason for an outcome, and how many more pairs would decide."""
    more = item.more_pairs
    return f"{item.reason}; {_pairs(more, ' more')} would decide" if more else item.reason


def name_interval(item: NameChange) -> str:
    """Return the confidence interval of the change of a request name. "-" if there is none."""
    return "-" if item.interval is None else change_range(item.interval.low, item.interval.high)


def confidence_text(changes: Sequence[Change]) -> str:
    """Return the confidence of the intervals, as in `95 %`. "" if they have several, or if there is none."""
    return _confidence(item.interval for item in changes)


def names_confidence(names: Sequence[NameChange]) -> str:
    """Return the confidence of the intervals of request names, like `confidence_text`."""
    return _confidence(item.interval for item in names)


def measured_pairs(result: AbResult) -> int:
    """Return the number of measured pairs, with those that are left out of the changes."""
    return max((len(item.pairs) for item in (*result.rules, *result.others)), default=result.pairs)


def pairs_text(result: AbResult, plan: PlanRecord) -> str:
    """Return how many pairs were compared, left out, and planned."""
    left_out = measured_pairs(result) - result.pairs
    more = f", {count(left_out)} left out" if left_out else ""
    return (
        f"{count(result.pairs)} compared{more}; planned: {count(plan.pairs)}, and as many again if they do not decide"
    )


def power_sentence(result: AbResult) -> str:
    """Return which changes the pairs detect. The rules with the largest ones come first. "" without rules."""
    known = [item for item in result.rules if item.detectable is not None]
    if not known:
        return ""
    ranked = sorted(known, key=lambda item: item.detectable or 0.0, reverse=True)
    listed = _listed([f"{detectable_text(item)} of {item.measure}" for item in ranked], "rule")
    return f"With a probability of 80 %, {_pairs(result.pairs)} detect a change of {listed}."


def names_sentence(result: AbResult) -> str:
    """Return which request names changed. "" if none did."""
    found = [item for item in result.names if item.is_discovery]
    listed = _listed([f"{item.name} {change(item.change)}" for item in found], "name")
    return f"p95 of request names that changed: {listed}." if found else ""


def side_text(side: SideRecord) -> str:
    """Return a side: its label, its commit and its uncommitted files."""
    files = side.changed_files
    details = [
        side.commit[:SHORT_COMMIT] if side.commit and side.commit[:SHORT_COMMIT] != side.label else "",
        side.url if side.url and side.url != side.label else "",
        _files(files) if files else "",
    ]
    known = ", ".join(filter(None, details))
    return f"{side.label} ({known})" if known else side.label


def plan_sentence(plan: PlanRecord, pairs: int) -> str:
    """Return what was measured. `pairs` is the number of pairs."""
    return (
        f"Profile {plan.profile} at {given(plan.rate_per_s, '/s')} ({plan.rate_from}): {_pairs(pairs)}, each side "
        f"measured for {duration(plan.measure_s)} after {duration(plan.settle_s)} to settle, seed {plan.seed}."
    )


def margins_sentence(plan: PlanRecord) -> str:
    """Return what the margins mean."""
    if plan.metric is Metric.MEMORY:
        return (
            "Memory is the growth of a resource of the target under load, divided by the requests. A change is ignored "
            f"up to {signed_size(plan.ignore_bytes)}, and is too large from {signed_size(2 * plan.ignore_bytes)}."
        )
    ignore, worse, ignore_failures, worse_failures = (
        given(round(share * 100, 9)) for share in (plan.ignore, plan.worse, plan.ignore_failures, plan.worse_failures)
    )
    ignored, large = f"+{ignore} %", f"+{worse} %"
    if plan.ignore_ms:
        ignored += f" or +{given(plan.ignore_ms, 'ms')}"
        large += f" and +{given(2 * plan.ignore_ms, 'ms')}"
    return (
        f"A change of a latency is ignored up to {ignored}, and is too large from {large}. "
        f"A change of the failures is ignored up to +{ignore_failures} points, and is too large from "
        f"+{worse_failures} points."
    )


def guard_name(guard: Guard) -> str:
    """Return the condition that a guard checks, as in `same arrival rate`."""
    return _CONDITIONS.get(guard.name, guard.name)


def holding_sentence(guards: Sequence[Guard]) -> str:
    """Return the conditions of a fair comparison that are met. "" if none is."""
    names = ", ".join(guard_name(guard) for guard in guards if not guard.is_broken)
    return f"Conditions of a fair comparison that are met: {names}." if names else ""


def broken(guards: Sequence[Guard]) -> list[Guard]:
    """Return the guards that do not hold."""
    return [guard for guard in guards if guard.is_broken]


def further_broken(result: AbResult) -> list[Guard]:
    """Return the guards that do not hold, without the one that is already the conclusion."""
    known = result.reason[1:].removesuffix(".")
    return [guard for guard in broken(result.guards) if guard.sentence[1:].removesuffix(".") != known]


def command(plan: PlanRecord) -> str:
    """Return the command that measures the same again."""
    base, head = plan.base, plan.head
    if base.url and head.url:
        sides = ["--base-url", base.url, "--head-url", head.url]
    else:
        # Without a second commit, the working tree is the head.
        commits = [base.commit, None if head.changed_files else head.commit]
        sides = [commit[:SHORT_COMMIT] for commit in commits if commit]
    words = [
        *("loadgate", "ab", *sides, "--profile", plan.profile, "--rate", f"{plain(plan.rate_per_s)}/s"),
        *("--pairs", str(plan.pairs)),
        *("--measure", compact_duration(plan.measure_s), "--settle", compact_duration(plan.settle_s)),
        *_margin_options(plan),
        *("--seed", str(plan.seed)),
        *(("--locustfile", plan.locustfile) if plan.locustfile else ()),
    ]
    return shlex.join(words)


def _margin_options(plan: PlanRecord) -> list[str]:
    if plan.metric is Metric.MEMORY:
        return ["--metric", "memory", "--ignore-bytes", plain(plan.ignore_bytes)]
    margins = ["--ignore", _share(plan.ignore), "--worse", _share(plan.worse)]
    return [*margins, "--ignore-ms", plain(plan.ignore_ms)]


def command_notes(plan: PlanRecord) -> str:
    """Return what the command does not measure again in the same way. "" if there is nothing to say."""
    files = plan.head.changed_files
    if plan.head.url:
        return "It needs the same deployments. Their versions are not known here."
    return f"It needs the working tree with {_files(files)}, which no commit has." if files else ""


def _pairs(number: int, more: str = "") -> str:
    return f"{count(number)}{more} {'pair' if number == 1 else 'pairs'}"


def _confidence(intervals: Iterable[Interval | None]) -> str:
    levels = {interval.confidence for interval in intervals if interval is not None}
    return given_percentage(*levels) if len(levels) == 1 else ""


def _files(number: int) -> str:
    return f"{count(number)} uncommitted {'file' if number == 1 else 'files'}"


def _share(share: float) -> str:
    return f"{plain(round(share * 100, 9))}%"


def _listed(texts: Sequence[str], what: str) -> str:
    more = len(texts) - MAX_IN_SENTENCE
    hidden = [f"and {count(more)} more {what}{'s' if more > 1 else ''}"] if more > 0 else []
    return ", ".join([*texts[:MAX_IN_SENTENCE], *hidden])
