"""The time grid of the report's charts: slots of one width, narrow enough to show and wide enough to stay small."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from loadgate.recorder.cells import ROLL_UPS

MAX_SLOTS = 2000
"""More points than this on one line cannot be told apart on a screen."""

MAX_ROLLED_SLOTS = 400
"""Of a run so long that the recorder itself keeps minutes: what keeps its report quick to make."""

MAX_CELLS = 96_000
"""Slots of all lines together: what keeps the file of a long run with many names small."""

MAX_FINE_NAMES = 20
"""With more names than this, their lines and the heat map are drawn on the coarser grid alone: each name has few
requests in a slot of the finest one, and the file would be large."""

READABLE_SLOTS = 240
"""With more slots than this in view, charts show the coarser grid."""

COARSE_SLOTS = 150

WELL_FILLED_S = 10
"""Slots of this width have enough requests for percentiles that do not jump about, however many slots there are."""

WIDTHS_S = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class Grid:
    """`count` slots of `width_s` from epoch second `start_s` on."""

    start_s: int
    width_s: int
    count: int

    def slot(self, epoch_s: float) -> int:
        """The slot that holds a time, the nearest one for a time outside."""
        return min(max(0, int((epoch_s - self.start_s) // self.width_s)), self.count - 1)


def grid_for(first_s: float, end_s: float, recorded_widths_s: Iterable[int], scopes: int) -> Grid:
    """Return the finest grid over [first_s, end_s), epoch seconds, that stays within the limits for so many scopes.

    Its slots are whole numbers of the widest ones that were recorded and begin where those begin, so that recorded
    slots are merged and never cut.
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
    """Return that grid and, where it has more than READABLE_SLOTS, one of whole numbers of its slots beside it."""
    fine = grid_for(first_s, end_s, recorded_widths_s, scopes)
    if fine.count <= READABLE_SLOTS or fine.width_s >= WELL_FILLED_S:
        return [fine]
    factor = next(
        (width_s // fine.width_s for width_s in WIDTHS_S if width_s % fine.width_s == 0 and _fits(fine, width_s)),
        -(-fine.count // COARSE_SLOTS),
    )
    return [fine, Grid(fine.start_s, fine.width_s * factor, -(-fine.count // factor))]


def _fits(fine: Grid, width_s: int) -> bool:
    """Whether slots of that width are few enough to be read at once."""
    return fine.count * fine.width_s <= width_s * COARSE_SLOTS


def _grid(first_s: float, end_s: float, width_s: int) -> Grid:
    start_s = math.floor(first_s / width_s) * width_s
    return Grid(start_s, width_s, max(1, math.ceil((end_s - start_s) / width_s)))
