"""The limit of the p95 that most stages keep if their seconds are drawn from a base (moving-block bootstrap).

Source: Künsch, Annals of Statistics 17, 1989.

A stage keeps a limit if its first window and 95 % of all windows do. A limit from single windows would be too low:
windows overlap, so one slow second can lift five of them. Each stage is compared with a base that is drawn as well,
because the base is no more than a sample.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from heapq import heappushpop
from itertools import accumulate, chain
from statistics import median

from loadgate.analysis.tails import MIN_SUCCESSES, SlotTail, p95_ms, p95_place
from loadgate.recorder.sketch import bucket_ms, bucket_of, nearest_rank

DRAWS = 100
DRAWN_WINDOWS = 12
"""The length of a drawn stage, and the maximum length of a drawn base, in windows. This bounds the cost."""

EXTREME = 0.99
"""The share of the drawn stages that keep the limit."""

STAYS = 0.95
"""The share of the windows of a stage that must keep the limit."""

SEED = 1989


def drawn_limit(
    parts: Sequence[SlotTail], window_s: int, middle_ms: float, least_ms: float, seed: int = SEED
) -> float | None:
    """Return the limit in ms that 99 % of the drawn stages keep, or None if it is not above `least_ms`.

    - `parts`: the slots of the base. If some are wider than others, stages are drawn from the narrow ones, which are
      the latest.
    - `middle_ms`: the median p95 of the windows of the base, above 0.

    Fast path: a draw is evaluated exactly only if it can change the result. The counts of slow requests show whether it
    can, without a p95 of each window: 30 -> 6 ms for a base of 15 minutes.
    """
    rnd = random.Random(seed)  # noqa: S311 - the same limit each time
    narrowest_s = min(part.width_s for part in parts)
    drawable = [part for part in parts if part.width_s == narrowest_s]
    size = -(-window_s // narrowest_s)
    drawn_bases = min(DRAWN_WINDOWS, -(-len(drawable) // size))
    whole_bases = min(DRAWN_WINDOWS, len(drawable) // size)
    least = least_ms / middle_ms
    # The highest ratios of a stage's limit to the median of its base. Lower ones do not change the quantile.
    highest = [least] * (DRAWS - nearest_rank(EXTREME, DRAWS) + 1)
    known = 0
    for _ in range(DRAWS):
        stage = [_block(drawable, size, rnd) for _ in range(DRAWN_WINDOWS)]
        base = [_block(drawable, size, rnd) for _ in range(drawn_bases)]
        usual = [value for block in base[:whole_bases] if (value := p95_ms(block)) is not None]
        if usual:
            usual_ms = median(usual)
            kept_ms = _kept_ms(list(chain.from_iterable(stage)), size, usual_ms * highest[0])
            if kept_ms is not None:
                known += 1
                heappushpop(highest, kept_ms / usual_ms)
    limit = sorted(highest, reverse=True)[known - nearest_rank(EXTREME, known)] if known else least
    return middle_ms * limit if limit > least else None


def _block(parts: Sequence[SlotTail], size: int, rnd: random.Random) -> list[SlotTail]:
    """Return a window that starts at a random slot. It continues at the start of the base after its end."""
    first = rnd.randrange(len(parts))
    block = list(parts[first : first + size])
    while len(block) < size:
        block += parts[: size - len(block)]
    return block


def _kept_ms(stage: Sequence[SlotTail], size: int, least_ms: float) -> float | None:
    """Return the lowest limit that a drawn stage keeps: 0 if it keeps `least_ms`, None if no window has a p95."""
    bucket = bucket_of(least_ms)
    bucket -= bucket_ms(bucket) > least_ms
    timed = _sliding([part.timed for part in stage], size)
    slower = _sliding([part.slower_than(bucket) for part in stage], size)
    known = [at for at, count in enumerate(timed) if count >= MIN_SUCCESSES]
    if not known:
        return None
    above = [slower[at] >= p95_place(timed[at]) for at in known]
    if not above[0] and above.count(True) <= len(above) - nearest_rank(STAYS, len(above)):
        return 0.0
    values = [p95_ms(stage[at : at + size]) or 0.0 for at in known]
    return max(values[0], quantile_of(values, STAYS))


def _sliding(values: Sequence[int], size: int) -> list[int]:
    """Return the sums of the windows of `size` values, without the last window."""
    sums = list(accumulate(values, initial=0))
    return [sums[at + size] - sums[at] for at in range(len(values) - size)]


def quantile_of(values: Sequence[float], quantile: float) -> float:
    """Return a quantile by nearest rank."""
    return sorted(values)[nearest_rank(quantile, len(values)) - 1]
