"""The kind of a growth of memory: what keeps the memory, from other quantities of the same resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from loadgate.analysis.growth.growth import Growth

PYTHON_BLOCKS, HEAP_IN_USE = "python_blocks", "heap_in_use"

PYTHON_BLOCK_BYTES = 1024
"""Python blocks explain a growth if there is a new block for at least each so many bytes of it.

A block can own a larger buffer outside of the blocks.
Python's own allocator serves objects of up to 512 bytes, and only these are its blocks (obmalloc.c).
"""

HEAP_SHARE = 0.5
"""The heap in use explains a growth if its own growth is at least this share of the growth of the memory."""


class Cause(StrEnum):
    """What keeps the memory."""

    PYTHON = "python"
    NATIVE = "native"
    RETAINED = "retained"
    LEVELS_OFF = "levels off"
    UNCLEAR = "unclear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class GrowthKind:
    """The kind of a growth. `size_bytes` is the rise of a cache or a warm-up; `missing` was not measured."""

    cause: Cause
    size_bytes: float | None = None
    missing: tuple[str, ...] = ()


def growth_kind(memory: Growth, companions: Mapping[str, Growth | None]) -> GrowthKind | None:
    """Return the kind of a growth of memory, or None if it grows less than the minimum.

    `companions` are the growths of the quantities of the same resource by name, of which `python_blocks` and
    `heap_in_use` are read.
    """
    rise = memory.warm_up.rise if memory.warm_up else 0.0
    grows = memory.low_per_s > 0 and memory.increase >= memory.minimum
    if grows and memory.continues:
        return _kind_of_leak(memory, companions)
    if not grows and rise < memory.minimum:
        return None
    return GrowthKind(Cause.LEVELS_OFF, size_bytes=rise if rise > 0 else None)


def _kind_of_leak(memory: Growth, companions: Mapping[str, Growth | None]) -> GrowthKind:
    blocks, heap = companions.get(PYTHON_BLOCKS), companions.get(HEAP_IN_USE)
    python = _explains(blocks, PYTHON_BLOCK_BYTES, memory)
    native = _explains(heap, 1 / HEAP_SHARE, memory)
    if python:
        return GrowthKind(Cause.PYTHON)
    if blocks is None or heap is None:
        names = ((PYTHON_BLOCKS, blocks), (HEAP_IN_USE, heap))
        return GrowthKind(Cause.UNKNOWN, missing=tuple(name for name, known in names if known is None))
    if native:
        return GrowthKind(Cause.NATIVE)
    return GrowthKind(Cause.UNCLEAR if python is None or native is None else Cause.RETAINED)


def _explains(companion: Growth | None, bytes_per_unit: float, memory: Growth) -> bool | None:
    """Return whether a companion grows enough to explain the growth of memory. None if that is not clear."""
    if companion is None:
        return None
    enough = companion.per_s * bytes_per_unit >= memory.per_s
    if enough and companion.low_per_s > 0:
        return True
    return None if enough or companion.high_per_s * bytes_per_unit >= memory.per_s else False
