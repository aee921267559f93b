"""The capacities in `loadgate history`: a line for each profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadgate.report.capacity.conclusion import figure_of
from loadgate.report.capacity.document import CapacityDocument
from loadgate.report.capacity.stored import stored_searches
from loadgate.report.sparkline import BARS, MAX_SPARKS, PLAIN_BARS, PLAIN_UNKNOWN, UNKNOWN, sparkline
from loadgate.report.text import OUTCOME_WORDS, aligned, printable
from loadgate.rules import MetricKind

Found = tuple[str, CapacityDocument]


def past_searches(folder: Path, profile: str | None, limit: int) -> list[Found]:
    """Return the newest searches for the capacity, without those of a single rate."""
    found = [one for one in stored_searches(folder, profile) if one[1].search.at_least_per_s is None]
    return found[:limit]


def capacities_text(found: Sequence[Found], *, can_show_bars: bool) -> list[str]:
    """Return a table with a line for each profile: its latest bounds and limits, and the lower bounds over time."""
    if not found:
        return []
    bars, unknown = (BARS, UNKNOWN) if can_show_bars else (PLAIN_BARS, PLAIN_UNKNOWN)
    rows = [("PROFILE", "CAPACITY", "HOLDS AT", "BREAKS AT", "LIMIT", "OUTCOME", "OLDEST TO NEWEST")]
    for profile, searches in _by_profile(found).items():
        result = searches[0].result
        holds = [search.result.holds_per_s for search in searches[MAX_SPARKS - 1 :: -1]]
        bounds = (figure_of(result.holds_per_s), figure_of(result.breaks_per_s))
        limits = ", ".join(limit.rule.removeprefix(f"{MetricKind.CAPACITY} ") for limit in result.limits) or "-"
        outcome, spark = OUTCOME_WORDS[result.outcome], sparkline(holds, bars, unknown)
        rows.append((profile, "per second", *bounds, printable(limits), outcome, spark))
    return ["", *aligned(rows, right={2, 3})]


def capacities_json(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Return the searches, newest first."""
    return [
        {
            "folder": name,
            "profile": search.search.profile,
            "started_at": search.started_at,
            "outcome": search.result.outcome,
            "holds_per_s": search.result.holds_per_s,
            "breaks_per_s": search.result.breaks_per_s,
            "is_confirmed": search.result.is_confirmed,
            "first_broken": search.result.first_broken,
            "limits": [limit.model_dump(mode="json") for limit in search.result.limits],
        }
        for name, search in found
    ]


def _by_profile(found: Sequence[Found]) -> dict[str, list[CapacityDocument]]:
    searches: dict[str, list[CapacityDocument]] = {}
    for _, document in found:
        searches.setdefault(document.search.profile, []).append(document)
    return searches
