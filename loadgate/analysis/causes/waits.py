"""The measured waits of a target: how long a request waited for what, on average.

Three kinds of waits are counted differently.

- A *part* of a request, such as waiting for a database connection: seconds waited ÷ requests. Waits can nest: the time
  of an inner wait is subtracted from the outer one, so that no second counts twice.
- The *lag* of an event loop: if the loop is blocked for b seconds at a time during T, a timer that is due at a random
  moment is late by l = Σb² ÷ 2T on average, the mean residual time of a block (Kleinrock, Queueing Systems I, 5.2).
  Everything that becomes ready is late by the same time. A request becomes ready when it arrives and at the end of each
  measured wait. It therefore loses l once, and once more for each wait. The measured wait includes this l, so it is
  subtracted there.
- The *CPU* wait of a role: the seconds in which its threads were ready to run and did not run. Each of them delays the
  request that the thread works for, and those queued behind it, which are 1 ÷ (1 - utilisation) requests (M/M/1). An
  event loop that waits for a CPU wakes up late, so the CPU wait is subtracted from its lag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from loadgate.analysis.traffic import Span
from loadgate.recorder.resources import LIMIT, WAIT_COUNT, WAIT_SUM, ResourceRecord, ResourceSeries
from loadgate.resource_names import CPU

MAX_UTILISATION = 0.9
"""A higher utilisation counts as this one. Close to 1, the number of delayed requests would be arbitrary."""

MIN_KNOWN = 0.5
"""A flow must be known in at least half of a span."""


class WaitKind(StrEnum):
    """How a wait delays requests."""

    PART = "part"
    LAG = "lag"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Wait:
    """A measured wait of a resource: the columns `quantity.sum` and `quantity.count`.

    - `words`: what a request does meanwhile, such as "waiting for a database connection".
    - `inside`: the wait that includes this one, as (resource, quantity).
    - `held`: the level and its limit that belong to the wait, such as `connections`.
    """

    resource: str
    quantity: str
    words: str
    kind: WaitKind = WaitKind.PART
    inside: tuple[str, str] | None = None
    held: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Return the resource and the quantity."""
        return self.resource, self.quantity


@dataclass(frozen=True, slots=True)
class PeriodWaits:
    """The waits of some spans with `requests` requests. `per_request_s` has no entry for a wait that is unknown."""

    requests: int
    per_request_s: dict[Wait, float]


def period_waits(record: ResourceRecord, waits: Sequence[Wait], spans: Sequence[Span], requests: int) -> PeriodWaits:
    """Return the mean seconds that a request of these spans waited. Each second is counted once."""
    if not requests:
        return PeriodWaits(0, {})
    totals = {wait: total for wait in waits if (total := _total(record, wait, spans)) is not None}
    parts = {wait: total for wait, total in totals.items() if wait.kind is WaitKind.PART}
    own_s = {wait: sum_s / requests for wait, (sum_s, _) in parts.items()}
    for wait in parts:
        outer = next((other for other in parts if other.key == wait.inside), None)
        if outer is not None:
            own_s[outer] = max(0.0, own_s[outer] - parts[wait][0] / requests)
    cpu_s = {
        wait: _cpu_s(record, wait, spans, sum_s, requests)
        for wait, (sum_s, _) in totals.items()
        if wait.kind is WaitKind.CPU
    }
    lag_s: dict[Wait, float] = {}
    for wait, (sum_s, times) in totals.items():
        if wait.kind is WaitKind.LAG and times:
            late_s = sum_s / times
            within_s = {part: min(own_s[part], late_s * parts[part][1] / requests) for part in parts}
            own_s = {part: own_s[part] - within_s[part] for part in parts}
            waiting_for_cpu_s = sum(value for other, value in cpu_s.items() if other.resource == wait.resource)
            lag_s[wait] = max(0.0, late_s + sum(within_s.values()) - waiting_for_cpu_s)
    return PeriodWaits(requests, own_s | cpu_s | lag_s)


def _cpu_s(record: ResourceRecord, wait: Wait, spans: Sequence[Span], sum_s: float, requests: int) -> float:
    length_s = sum(span.length_s for span in spans)
    used = flow_total(record.series(wait.resource, CPU), record.step_s, spans)
    busy = (sum_s + (used or 0.0)) / length_s
    # With several processes, the utilisation of each is unknown. It is at least that of as many as the work needs.
    utilisation = min(MAX_UTILISATION, busy / max(1.0, -(-busy // 1)))
    return sum_s / requests / (1 - utilisation)


def _total(record: ResourceRecord, wait: Wait, spans: Sequence[Span]) -> tuple[float, float] | None:
    """Return the seconds waited and the number of waits in these spans, or None if they are unknown."""
    sum_s = flow_total(record.series(wait.resource, wait.quantity + WAIT_SUM), record.step_s, spans)
    times = flow_total(record.series(wait.resource, wait.quantity + WAIT_COUNT), record.step_s, spans)
    if sum_s is None or (times is None and wait.kind is not WaitKind.CPU):
        return None
    return sum_s, times or 0.0


def flow_total(series: ResourceSeries | None, step_s: float, spans: Sequence[Span]) -> float | None:
    """Return the amount of a flow in these spans. Unknown rows get the mean of the known ones.

    None if less than half of the time is known.
    """
    length_s = sum(span.length_s for span in spans)
    known = [value for span in spans for value in _values(series, span)]
    if not known or len(known) * step_s < MIN_KNOWN * length_s:
        return None
    return sum(known) / len(known) * length_s


def level(series: ResourceSeries | None, spans: Sequence[Span]) -> float | None:
    """Return the mean of the known values in these spans."""
    known = [value for span in spans for value in _values(series, span)]
    return sum(known) / len(known) if known else None


def highest(series: ResourceSeries | None, spans: Sequence[Span]) -> float | None:
    """Return the highest known value in these spans."""
    return max((value for span in spans for value in _values(series, span)), default=None)


def _values(series: ResourceSeries | None, span: Span) -> list[float]:
    return [] if series is None else series.between(span.start_s, span.end_s).values


def limit_of(record: ResourceRecord, resource: str, quantity: str) -> ResourceSeries | None:
    """Return the limit of a quantity over time."""
    return record.series(resource, quantity + LIMIT)
