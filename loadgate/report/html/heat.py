"""The heat map of a scope: how many successes of each slot lie in each row of latencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadgate.recorder import LatencySketch

HEAT_SHIFT = 5
"""A row of the heat map is 2 ** 5 buckets of the sketch: a quarter of a doubling."""


@dataclass(frozen=True, slots=True)
class Heat:
    """For each slot how many rows have samples, and of those, slot by slot, the row and its samples."""

    used: list[int]
    rows: list[int]
    samples: list[int]

    @classmethod
    def of(cls, slots: Mapping[int, LatencySketch], count: int) -> Heat:
        """Return the heat map over `count` slots, of the sketches of those that have samples."""
        heat = cls([0] * count, [], [])
        for slot, sketch in sorted(slots.items()):
            by_row: dict[int, int] = {}
            for bucket, samples in sketch.buckets.items():
                row = bucket >> HEAT_SHIFT
                by_row[row] = by_row.get(row, 0) + samples
            heat.used[slot] = len(by_row)
            for row in sorted(by_row):
                heat.rows.append(row)
                heat.samples.append(by_row[row])
        return heat
