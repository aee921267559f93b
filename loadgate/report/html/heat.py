"""The heat map of a scope: the number of successful requests by slot and by row of latencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadgate.recorder import LatencySketch

HEAT_SHIFT = 5
"""A row of the heat map has 2 ** 5 buckets of the sketch, which is a quarter of a doubling."""


@dataclass(frozen=True, slots=True)
class Heat:
    """The used rows of each slot. `used` is their number. `rows` and `samples` list them, ordered by slot."""

    used: list[int]
    rows: list[int]
    samples: list[int]

    @classmethod
    def of(cls, slots: Mapping[int, LatencySketch], count: int) -> Heat:
        """Return the heat map over `count` slots, given the sketches of the slots with samples."""
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
