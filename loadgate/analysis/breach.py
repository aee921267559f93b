"""Breaches: when the requests of a scope broke a limit, and which request names broke it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from loadgate.analysis.traffic import Span
from loadgate.recorder import RequestName, TimeSlot, Totals

MAX_NAMES = 3
"""If more names than this broke a limit, none of them stands out."""

CHANCE = 0.05
"""A part at either end of the broken time does not belong to it if its requests met the limit with a lower chance."""

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
    - `is_throughout`: whether no part of the run held.
    - `names`: the fewest names without which the limit would hold in that time. Empty if no names stand out.
    - `all_names` with requests, of which `slow_names` break the limit on their own.
    """

    spans: Sequence[Span]
    is_throughout: bool
    names: Sequence[NameInBreach]
    slow_names: Sequence[NameInBreach]
    all_names: int


@dataclass(frozen=True, slots=True)
class _Period:
    span: Span
    is_broken: bool


def find_breach(
    requests: Mapping[RequestName, Sequence[TimeSlot]], limit: Limit, min_requests: int, min_s: float = 1.0
) -> Breach:
    """Return how the requests of a scope broke its limit.

    `requests` are the slots of each name, ascending. The run is divided into periods of at least `min_requests`
    requests and `min_s` seconds, because fewer requests have no reliable percentile.
    """
    periods = _periods(requests, limit, min_requests, min_s)
    whole = _joined([period.span for period in periods if period.is_broken])
    culprits = _that_stand_out(_divided(requests, whole), limit)
    slots = [slot for name in culprits for slot in requests[name.request]] or [*chain(*requests.values())]
    spans = [_narrowed(span, slots, limit) for span in whole]
    names = _divided(requests, spans)
    return Breach(
        spans=spans,
        is_throughout=spans == whole and all(period.is_broken for period in periods),
        names=_that_stand_out(names, limit),
        slow_names=[name for name in names if limit.is_broken(name.inside)],
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
    (first_s, _), (last_s, width_s) = group[0], group[-1]
    totals = Totals.sum(chain.from_iterable(by_slot[key].values() for key in group))
    return _Period(Span(first_s, last_s + width_s), limit.is_broken(totals))


def _divided(requests: Mapping[RequestName, Sequence[TimeSlot]], spans: Sequence[Span]) -> list[NameInBreach]:
    """Divide the requests of each name into those in `spans` and the others. Without spans, all are inside."""
    divided = []
    for request, slots in requests.items():
        inside = [not spans or any(_is_in(slot, span) for span in spans) for slot in slots]
        parts = (
            [slot.totals for slot, is_in in zip(slots, inside, strict=True) if is_in is side] for side in (True, False)
        )
        divided.append(NameInBreach(request, *map(Totals.sum, parts)))
    return divided


def _is_in(slot: TimeSlot, span: Span) -> bool:
    return span.start_s <= slot.start_s < span.end_s


def _narrowed(span: Span, slots: Sequence[TimeSlot], limit: Limit) -> Span:
    """Return the span without the parts at its ends in which too many requests met the limit for a coincidence.

    A period has so many requests that its ends are often far from the requests that broke the limit.
    """
    within = sorted((slot for slot in slots if _is_in(slot, span)), key=lambda slot: slot.start_s)
    against = [limit.against(slot.totals) for slot in within]
    broken = [number for number, bad in enumerate(against) if bad]
    if not broken:
        return span
    first, last = within[broken[0]], within[broken[-1]]
    between = [slot.totals.requests for slot in within if first.start_s <= slot.start_s <= last.start_s]
    chance_to_meet = max(0.0, 1 - sum(against) / sum(between))

    def is_coincidence(requests: int) -> bool:
        return chance_to_meet**requests >= CHANCE

    before = sum(slot.totals.requests for slot in within if slot.start_s < first.start_s)
    after = sum(slot.totals.requests for slot in within if slot.start_s > last.start_s)
    return Span(
        span.start_s if is_coincidence(before) else first.start_s,
        span.end_s if is_coincidence(after) else last.start_s + last.width_s,
    )


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
