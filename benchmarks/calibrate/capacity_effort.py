"""The least that any search has to measure to tell a known capacity from rates that are 2.5 % below and above it.

    python -m benchmarks.calibrate.capacity_effort

At the capacity, the share of bad requests is as large as allowed. At a rate 2.5 % above it, the share differs by the
slope of its curve, and the error of n requests is that of n / D independent ones. The table has the n at which this
difference is half of a 99 % interval. With fewer requests, a test of this confidence tells the two rates apart in less
than half of the cases, even if it knows the curve. Slope and D are measured in long simulated trials.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

from benchmarks.calibrate.capacity_simulated import QUEUES, WIDTH
from benchmarks.calibrate.queues import ALLOWED, RULE, Queue
from loadgate.analysis.capacity.level import CONFIDENCE
from loadgate.analysis.capacity.trial import Second

LENGTH_S = 6000
BLOCK_S = 30
STEP = 0.05
"""The slope is that between rates so far below and above the capacity."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The slope of the logit of the share over the logarithm of the rate, and the design effect D, at the capacity."""

    slope: float
    effect: float

    def requests(self, width: float) -> float:
        """Return the number of requests that tell the capacity from rates half of the width below and above it."""
        error = self.slope * math.log1p(width) / 2 / NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
        return self.effect / (ALLOWED * (1 - ALLOWED)) / error**2


def effort_of(queue: Queue, length_s: int = LENGTH_S) -> Effort:
    """Return the effort of a queue by long trials below, at and above its capacity."""
    below, at, above = (_seconds(queue, times, length_s) for times in (1 - STEP, 1.0, 1 + STEP))
    slope = (_logit(above) - _logit(below)) / math.log((1 + STEP) / (1 - STEP))
    share = _share(at)
    blocks = [at[first : first + BLOCK_S] for first in range(0, length_s, BLOCK_S)]
    squares = sum(sum(second.bad - share * second.requests for second in block) ** 2 for block in blocks)
    return Effort(slope, squares / (share * (1 - share) * sum(second.requests for second in at)))


def _seconds(queue: Queue, times: float, length_s: int) -> tuple[Second, ...]:
    rate_per_s = times * queue.capacity_per_s
    random = Random(round(100 * times))  # noqa: S311 - no secret
    return queue.trial(rate_per_s, length_s, BLOCK_S, random).seconds[RULE.rule][:length_s]


def _share(seconds: tuple[Second, ...]) -> float:
    return sum(second.bad for second in seconds) / sum(second.requests for second in seconds)


def _logit(seconds: tuple[Second, ...]) -> float:
    share = _share(seconds)
    return math.log(share / (1 - share))


def main() -> int:
    print(f"| queue | capacity | slope | D | requests for {WIDTH:.0%} | at the capacity |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for queue in QUEUES[:4]:
        effort = effort_of(queue)
        requests = effort.requests(WIDTH)
        cells = (queue, f"{queue.capacity_per_s:.1f}/s", f"{effort.slope:.1f}", f"{effort.effect:.0f}")
        print(f"| {' | '.join(map(str, cells))} | {requests:,.0f} | {requests / queue.capacity_per_s / 60:.0f} min |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
