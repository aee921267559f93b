"""The time grid of the report's charts: slots of equal width, chosen for readable charts and a small file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgate.recorder.cells import ROLL_UPS

MAX_SLOTS = 2000
"""A screen cannot show more points than this on one line."""

MAX_ROLLED_SLOTS = 400
"""The limit for a run whose recorder has merged seconds into minutes. It bounds the time to write the report."""

MAX_CELLS = 96_000
"""Maximum number of slots of all lines together. It bounds the size of the report."""

MAX_FINE_NAMES = 20
"""With more names than this, their lines and the heat map use only the coarser grid, because each name has few requests
in a fine slot and the file would be large."""

READABLE_SLOTS = 240
"""Charts with more slots than this show the coarser grid."""

COARSE_SLOTS = 150

WELL_FILLED_S = 10
"""Slots of this width have enough requests for stable percentiles, so they need no coarser grid."""

WIDTHS_S = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of `count` slots of `width_s` seconds that starts at epoch second `start_s`."""

    start_s: int
    width_s: int
    count: int

    def slot(self, epoch_s: float) -> int:
        """Return the slot of a time, or the nearest one for a time outside the grid."""
        return min(max(0, int((epoch_s - self.start_s) // self.width_s)), self.count - 1)

    def peaks(self, counts: Iterable[Sequence[int]]) -> list[int | None]:
        """Return the maximum of each slot, given (epoch second, count). A slot without a count has the previous one."""
        peaks: list[int | None] = [None] * self.count
        for second, count in counts:
            slot = self.slot(second)
            peaks[slot] = max(peaks[slot] or 0, count)
        for slot in range(1, self.count):
            if peaks[slot] is None:
                peaks[slot] = peaks[slot - 1]
        return peaks


def grid_for(first_s: float, end_s: float, recorded_widths_s: Iterable[int], scopes: int) -> Grid:
    """Return the finest grid over [first_s, end_s), in epoch seconds, within the limits for the number of scopes.

    Its slots are multiples of the widest recorded slots and aligned with them, so that recorded slots are merged and
    never divided.
    """
    widest_s = max(recorded_widths_s, default=1)
    slots = MAX_SLOTS if widest_s < ROLL_UPS[-1].width_s else MAX_ROLLED_SLOTS
    allowed = max(1, min(slots, MAX_CELLS // max(1, scopes)))
    fitting = [width_s for width_s in WIDTHS_S if width_s % widest_s == 0]
    for width_s in fitting:
        grid = _grid(first_s, end_s, width_s)
        if grid.count <= allowed:
            return grid
    return _grid(first_s, end_s, fitting[-1])


def grids_for(first_s: float, end_s: float, recorded_widths_s: Iterable[int], scopes: int) -> list[Grid]:
    """Return the grid of `grid_for` and, if it has more than READABLE_SLOTS slots, a coarser grid."""
    fine = grid_for(first_s, end_s, recorded_widths_s, scopes)
    if fine.count <= READABLE_SLOTS or fine.width_s >= WELL_FILLED_S:
        return [fine]
    factor = next(
        (width_s // fine.width_s for width_s in WIDTHS_S if width_s % fine.width_s == 0 and _fits(fine, width_s)),
        -(-fine.count // COARSE_SLOTS),
    )
    return [fine, Grid(fine.start_s, fine.width_s * factor, -(-fine.count // factor))]


def _fits(fine: Grid, width_s: int) -> bool:
    """Return whether a chart with slots of that width is readable."""
    return fine.count * fine.width_s <= width_s * COARSE_SLOTS


def _grid(first_s: float, end_s: float, width_s: int) -> Grid:
    start_s = math.floor(first_s / width_s) * width_s
    return Grid(start_s, width_s, max(1, math.ceil((end_s - start_s) / width_s)))
