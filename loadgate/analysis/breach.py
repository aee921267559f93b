"""Breaches: when the requests of a scope broke a limit, and which request names broke it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from loadgate.analysis.traffic import Span
from loadgate.recorder import RequestName, TimeSlot, Totals

MAX_NAMES = 3
"""If more names than this broke a limit, none of them stands out."""

MIN_SHARE = 0.5
"""The names that stand out sent at least this share of the requests that count against the limit."""


class Limit(Protocol):
    """What is demanded of the requests of a period."""

    def is_broken(self, totals: Totals) -> bool:
        """Return whether the requests break the limit. False if they are too few for a value."""

    def against(self, totals: Totals) -> int:
        """Return the number of requests that count against the limit."""


@dataclass(frozen=True, slots=True)
class NameInBreach:
    """The requests of one name in the broken time, and in the rest of the run."""

    request: RequestName
    inside: Totals
    outside: Totals


@dataclass(frozen=True, slots=True)
class Breach:
    """How a scope broke its limit.

    - `spans`: the broken time, ascending and not adjacent. Empty if only the run as a whole broke the limit.
    - `is_throughout`: whether no period held.
    - `names`: the fewest names without which the limit would hold in that time. Empty if no names stand out.
    - `slow_names` of `all_names` would break the limit on their own.
    """

    spans: Sequence[Span]
    is_throughout: bool
    names: Sequence[NameInBreach]
    slow_names: int
    all_names: int


@dataclass(frozen=True, slots=True)
class _Period:
    span: Span
    totals: Mapping[RequestName, Totals]
    is_broken: bool


def find_breach(
    requests: Mapping[RequestName, Sequence[TimeSlot]], limit: Limit, min_requests: int, min_s: float = 1.0
) -> Breach:
    """Return how the requests of a scope broke its limit.

    `requests` are the slots of each name, ascending. The run is divided into periods of at least `min_requests`
    requests and `min_s` seconds, because fewer requests have no reliable percentile.
    """
    periods = _periods(requests, limit, min_requests, min_s)
    broken = [period for period in periods if period.is_broken]
    # If only the run as a whole broke the limit, all of it is looked at.
    rest = [period for period in periods if not period.is_broken] if broken else []
    names = [NameInBreach(request, _sum_of(broken or periods, request), _sum_of(rest, request)) for request in requests]
    return Breach(
        spans=_joined([period.span for period in broken]),
        is_throughout=len(broken) == len(periods),
        names=_that_stand_out(names, limit),
        slow_names=sum(limit.is_broken(name.inside) for name in names),
        all_names=len(names),
    )


def _periods(
    requests: Mapping[RequestName, Sequence[TimeSlot]], limit: Limit, min_requests: int, min_s: float
) -> list[_Period]:
    by_slot: dict[tuple[int, int], dict[RequestName, Totals]] = defaultdict(dict)
    for request, slots in requests.items():
        for slot in slots:
            by_slot[slot.start_s, slot.width_s][request] = slot.totals
    groups: list[list[tuple[int, int]]] = [[]]
    for key in sorted(by_slot):
        if _is_enough(groups[-1], by_slot, min_requests, min_s):
            groups.append([])
        groups[-1].append(key)
    if len(groups) > 1 and not _is_enough(groups[-1], by_slot, min_requests, min_s):
        last = groups.pop()
        groups[-1] += last
    return [_period(group, by_slot, limit) for group in groups if group]


def _is_enough(
    group: Sequence[tuple[int, int]],
    by_slot: Mapping[tuple[int, int], Mapping[RequestName, Totals]],
    min_requests: int,
    min_s: float,
) -> bool:
    if not group:
        return False
    (first_s, _), (last_s, width_s) = group[0], group[-1]
    known = sum(totals.requests for key in group for totals in by_slot[key].values())
    return known >= min_requests and last_s + width_s - first_s >= min_s


def _period(
    group: Sequence[tuple[int, int]], by_slot: Mapping[tuple[int, int], Mapping[RequestName, Totals]], limit: Limit
) -> _Period:
    parts: dict[RequestName, list[Totals]] = defaultdict(list)
    for key in group:
        for request, totals in by_slot[key].items():
            parts[request].append(totals)
    totals_by_name = {request: Totals.sum(found) for request, found in parts.items()}
    (first_s, _), (last_s, width_s) = group[0], group[-1]
    is_broken = limit.is_broken(Totals.sum(totals_by_name.values()))
    return _Period(Span(first_s, last_s + width_s), totals_by_name, is_broken)


def _sum_of(periods: Sequence[_Period], request: RequestName) -> Totals:
    return Totals.sum(period.totals[request] for period in periods if request in period.totals)


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].end_s >= span.start_s:
            joined[-1] = Span(joined[-1].start_s, span.end_s)
        else:
            joined.append(span)
    return joined


def _that_stand_out(names: Sequence[NameInBreach], limit: Limit) -> list[NameInBreach]:
    """Return the fewest names without which the limit holds, the worst first. Empty if they are most of the names."""
    worst = sorted(names, key=lambda name: limit.against(name.inside), reverse=True)
    counted = sum(limit.against(name.inside) for name in names)
    for number in range(1, min(MAX_NAMES, len(names)) + 1):
        removed, rest = worst[:number], Totals.sum(name.inside for name in worst[number:])
        if limit.is_broken(rest):
            continue
        share = sum(limit.against(name.inside) for name in removed)
        is_most = number > max(1, len(names) // 2)
        return removed if not is_most and counted and share >= MIN_SHARE * counted else []
    return []
