"""The blocks of a series. Their low percentiles show the bottom of a sawtooth."""

from collections.abc import Sequence
from dataclasses import dataclass

BLOCK_S = 10.0
LONG_RUN_S = 600.0
LONG_BLOCK_S = 30.0
MAX_BLOCKS = 240
"""A run of more than two hours has longer blocks, so that the cost of its analysis is bounded."""

BOTTOM = 0.1
"""Garbage collection and buffers make a sawtooth. The 10th percentile of a block is near its bottom."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The 10th percentile of each block with values, at the middle of the block. `step_s` is the length of a block."""

    step_s: float
    times_s: tuple[float, ...]
    values: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.values)


def block_length_s(span_s: float) -> float:
    """Return the length of the blocks of a run: 10 s, or a multiple of 30 s in a run of more than 10 minutes."""
    if span_s <= LONG_RUN_S:
        return BLOCK_S
    return LONG_BLOCK_S * max(1, -int(-span_s // (LONG_BLOCK_S * MAX_BLOCKS)))


def blocks(times_s: Sequence[float], values: Sequence[float]) -> Blocks:
    """Return the blocks of a series. Times are in seconds, ascending. A block less than half full is left out.

    A block is full if it has as many values as the median block. The first and the last block are often cut off, and
    the bottom of a few values is not that of a whole block.
    """
    if not times_s:
        return Blocks(BLOCK_S, (), ())
    step_s = block_length_s(times_s[-1] - times_s[0])
    members: dict[int, list[float]] = {}
    for time_s, value in zip(times_s, values, strict=True):
        members.setdefault(int((time_s - times_s[0]) // step_s), []).append(value)
    full = sorted(map(len, members.values()))[len(members) // 2]
    kept = {number: sorted(inside) for number, inside in members.items() if 2 * len(inside) >= full}
    return Blocks(
        step_s,
        tuple(times_s[0] + (number + 0.5) * step_s for number in kept),
        tuple(inside[round(BOTTOM * (len(inside) - 1))] for inside in kept.values()),
    )
