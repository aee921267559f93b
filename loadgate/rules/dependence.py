"""The dependence between the requests of a scope, estimated from batches of seconds."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from loadgate.analysis.batches import BatchSums
from loadgate.analysis.design_effect import (
    DesignEffect,
    design_effects,
    failure_counts,
    failure_effects,
    latency_effects,
)
from loadgate.recorder import TimeSlot, Totals
from loadgate.rules.types import Rule
from loadgate.rules.view import RecorderView


class RunBatches:
    """The batches of the scopes of a run, one stratum for each stage.

    For repeated evaluations, name the rules to follow and call `advance` before each one. It reads only new seconds, so
    the cost does not grow with the length of the run. Without a call of `advance`, all seconds are included.
    """

    def __init__(self, view: RecorderView, followed: Sequence[Rule] = ()) -> None:
        self._view = view
        self._followed = followed
        self._until_s = math.inf
        self._strata: dict[tuple[str, str, bool], _Stratum] = {}

    def advance(self, until_s: int) -> None:
        """Include the seconds before `until_s`."""
        self._until_s = until_s
        stages = self._view.stages()
        for rule in self._followed:
            for stage in stages:
                self._stratum(rule, stage)

    def effects(self, rule: Rule, stages: Collection[str] | None) -> Mapping[int, DesignEffect]:
        """Return the design effects by bucket for a rule's metric, in these stages or in all."""
        chosen = self._view.stages() if stages is None else sorted(stages)
        return design_effects([self._stratum(rule, stage) for stage in chosen])

    def _stratum(self, rule: Rule, stage: str) -> BatchSums:
        known = self._strata.setdefault((rule.scope, stage, rule.metric.kind.is_latency), _Stratum())
        if known.until_s < self._until_s:
            for slot in self._view.time_slots(rule.scope, [stage], int(known.until_s)):
                if slot.start_s < self._until_s:
                    known.sums.add(slot.start_s, _counts(rule, slot.totals), slot.width_s)
            known.until_s = self._until_s
        return known.sums


def effects_of(rule: Rule, slots: Iterable[TimeSlot]) -> Mapping[int, DesignEffect]:
    """Return the design effects by bucket for a rule's metric in ascending slots, such as those of a window."""
    return latency_effects(slots) if rule.metric.kind.is_latency else failure_effects(slots)


def _counts(rule: Rule, totals: Totals) -> Mapping[int, int]:
    if rule.metric.kind.is_latency:
        return totals.success.buckets
    return failure_counts(totals)


@dataclass(slots=True)
class _Stratum:
    """The batches of one scope and stage before `until_s`."""

    sums: BatchSums = field(default_factory=BatchSums)
    until_s: float = 0
