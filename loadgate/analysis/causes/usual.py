"""What is usual for a target: its figures in the base of a scope's band. All episodes of the scope share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, pstdev
from typing import NamedTuple

from loadgate.analysis.causes.users import users
from loadgate.analysis.causes.waits import Wait, WaitKind, level, period_waits
from loadgate.analysis.traffic import Counts, Span, Traffic
from loadgate.recorder.resources import WAIT_COUNT, WAIT_SUM, ResourceColumn, ResourceRecord
from loadgate.resource_names import CPU


@dataclass(frozen=True, slots=True)
class MeasuredTarget:
    """What was measured of the target.

    - `waits`: the waits of requests. Waits of background work do not belong here.
    - `cores`: the cores that a resource can use if these are fewer than its `cpu.limit`. A process with one event loop
      of Python can use one.
    """

    record: ResourceRecord
    waits: Sequence[Wait] = ()
    cores: Mapping[str, float] = field(default_factory=dict)


class Level(NamedTuple):
    """The mean and the standard deviation of a quantity."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class Usual:
    """The usual figures, each computed when it is needed first.

    - `base`: the spans of the scope's band.
    - `groups`: the traffic of all requests of the target, in disjoint scopes.
    """

    base: Sequence[Span]
    groups: Sequence[Traffic]
    target: MeasuredTarget

    @cached_property
    def counts(self) -> list[Counts]:
        """Return the counts of each group."""
        return [group.counts_in(*self.base) for group in self.groups]

    @cached_property
    def waits_s(self) -> dict[Wait, float]:
        """Return the mean seconds that a request waits."""
        requests = sum(counts.requests for counts in self.counts)
        return period_waits(self.target.record, self.target.waits, self.base, requests).per_request_s

    @cached_property
    def users(self) -> dict[Wait, set[int]]:
        """Return the numbers of the groups whose requests may wait, for each wait."""
        return {wait: self._users(wait) for wait in self.target.waits}

    def _users(self, wait: Wait) -> set[int]:
        record = self.target.record
        series = record.series(wait.resource, wait.quantity + WAIT_COUNT)
        if wait.kind is not WaitKind.PART or series is None or record.step_s > 1:
            return set(range(len(self.groups)))
        parts = [series.between(span.start_s, span.end_s) for span in self.base]
        counts = {int(time_s): value for part in parts for time_s, value in part.pairs()}
        requests = [[float(known.get(second, 0)) for second in counts] for known in self._by_second]
        return users(list(counts.values()), requests)

    @cached_property
    def _by_second(self) -> list[dict[int, int]]:
        return [
            {slot.start_s: slot.totals.requests for slot in group.slots if slot.width_s == 1} for group in self.groups
        ]

    @cached_property
    def cpu(self) -> dict[str, float | None]:
        """Return the CPU time of each resource in cores."""
        record = self.target.record
        return {resource: level(record.series(resource, CPU), self.base) for resource in record.resources()}

    @cached_property
    def levels(self) -> dict[ResourceColumn, Level]:
        """Return the level of each quantity that has at least two values. Waits are left out."""
        record = self.target.record
        found: dict[ResourceColumn, Level] = {}
        for column in record.columns:
            series = record.series(column.resource, column.quantity)
            if series is None or column.quantity.endswith((WAIT_SUM, WAIT_COUNT)):
                continue
            values = [value for span in self.base for value in series.between(span.start_s, span.end_s).values]
            if len(values) > 1:
                mean = fmean(values)
                found[column] = Level(mean, pstdev(values, mean))
        return found
