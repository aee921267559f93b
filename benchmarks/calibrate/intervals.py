"""Checks how often the confidence intervals contain the true value if requests meet the same stalls. Simulated.

    python -m benchmarks.calibrate.intervals [--repeats 400]

Each repeat is a run of the process of `benchmarks.calibrate.stubs.stalls`, whose true percentiles and design effects
are known. A 95 % interval must contain the truth in at least 93 % of the repeats. With the design effect switched off,
it must not: this shows that the check can fail. The last cases have independent requests, whose intervals must not
become so wide that they say nothing. The exit code is 1 if a figure is beyond its limit.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.calibrate.program import run
from benchmarks.calibrate.stubs.stalls import Stalls
from loadgate.analysis.batches import BatchSums
from loadgate.analysis.confidence import quantile_interval, share_interval
from loadgate.analysis.design_effect import FAILED, SUCCEEDED, design_effects
from loadgate.analysis.interval import Interval
from loadgate.recorder import LatencySketch

LEAST_COVERED = 0.93
MOST_COVERED_WITHOUT = 0.80
"""The most that may be covered with the design effect switched off, if it is about 10."""

MOST_WIDENED = 1.5
"""How much wider the intervals of independent requests in a short run may be."""

FAILED_ABOVE_MS = 120.0
"""For shares of failures, a request fails if it takes longer."""


@dataclass(frozen=True, slots=True)
class Case:
    """A process, the length of each run, and the value whose interval is checked: a quantile, or None for failures."""

    design_effect: float
    quantile: float | None
    rate_per_s: float
    seconds: int

    def __str__(self) -> str:
        metric = "failures" if self.quantile is None else f"p{self.quantile * 100:g}"
        return f"{metric}, {self.rate_per_s:g}/s for {self.seconds} s"

    @property
    def stalls(self) -> Stalls:
        """Return the process. A design effect of 1 has stalls that are much shorter than the time between requests."""
        if self.design_effect == 1:
            return Stalls(mean_s=0.01 / self.rate_per_s)
        return Stalls.with_design_effect(self.design_effect, self.rate_per_s, self.quantile or 0.95)

    @property
    def truth(self) -> float:
        """Return the true value, in ms or in percent."""
        if self.quantile is None:
            return 100 * self.stalls.above(FAILED_ABOVE_MS)
        return self.stalls.quantile_ms(self.quantile)


CASES = (
    Case(10, 0.95, 20, 120),
    Case(10, 0.95, 20, 300),
    Case(10, 0.5, 20, 300),
    Case(10, 0.99, 20, 600),
    Case(10, None, 20, 300),
    Case(1, 0.95, 20, 60),
    Case(1, 0.99, 20, 60),
    Case(1, None, 20, 60),
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the intervals of a case contained the truth, with and without the design effect, as shares of 1."""

    case: Case
    covered: float
    covered_without: float
    design_effect: float
    """The mean of the estimates."""
    width: float
    """The mean quotient of the widths with and without the design effect, of the intervals with both bounds."""
    open_share: float
    """The share of the intervals without an upper bound, although that without the design effect has one."""

    def misses(self) -> list[str]:
        """Return one line for each figure beyond its limit."""
        found = []
        if self.covered < LEAST_COVERED:
            found.append(f"{self.case}: {self.covered:.1%} of the intervals contain the truth, not {LEAST_COVERED:.0%}")
        if self.case.design_effect > 1 and self.covered_without > MOST_COVERED_WITHOUT:
            found.append(f"{self.case}: {self.covered_without:.1%} do without the design effect, which shows no fault")
        if self.case.design_effect == 1 and (self.width > MOST_WIDENED or self.open_share > 0.05):
            found.append(f"{self.case}: intervals of independent requests are {self.width:.2f} times as wide")
        return found


def coverage(case: Case, repeats: int, seed: int = 1) -> Coverage:
    """Return the coverage of a case."""
    pairs = [_intervals(case, seed * 100_000 + repeat) for repeat in range(repeats)]
    closed = [(wide, narrow) for wide, narrow in pairs if _width(wide) and _width(narrow)]
    return Coverage(
        case,
        covered=fmean(wide.contains(case.truth) for wide, _ in pairs),
        covered_without=fmean(narrow.contains(case.truth) for _, narrow in pairs),
        design_effect=fmean(wide.design_effect or 1.0 for wide, _ in pairs),
        width=fmean(_width(wide) / _width(narrow) for wide, narrow in closed),
        open_share=fmean(wide.high is None and narrow.high is not None for wide, narrow in pairs),
    )


def _width(interval: Interval) -> float:
    return 0.0 if interval.low is None or interval.high is None else interval.high - interval.low


def _intervals(case: Case, seed: int) -> tuple[Interval, Interval]:
    """Return the intervals of one run, with and without the design effect."""
    sums, whole, failures = BatchSums(), LatencySketch(), 0
    for second, latencies_ms in enumerate(case.stalls.seconds(case.rate_per_s, case.seconds, seed)):
        part = LatencySketch()
        for latency_ms in latencies_ms:
            part.record(latency_ms)
        whole.merge(part)
        failed = sum(latency_ms > FAILED_ABOVE_MS for latency_ms in latencies_ms)
        failures += failed
        is_share = case.quantile is None
        sums.add(second, {SUCCEEDED: part.count - failed, FAILED: failed} if is_share else part.buckets)
    effects = design_effects([sums])
    if case.quantile is None:
        effect = effects.get(SUCCEEDED)
        found = share_interval(failures, whole.count, effect=effect), share_interval(failures, whole.count)
    else:
        found = (
            quantile_interval(whole, case.quantile, effects=effects),
            quantile_interval(whole, case.quantile),
        )
    wide, narrow = found
    if wide is None or narrow is None:
        raise ValueError(f"{case}: a run of this case has no requests")
    return wide, narrow


def table(found: Sequence[Coverage]) -> str:
    """Return a Markdown table with a row for each case."""
    head = ("case", "true D", "estimated D", "covered", "without D", "width", "no bound")
    rows = [
        (
            str(each.case),
            f"{each.case.design_effect:g}",
            f"{each.design_effect:.1f}",
            f"{each.covered:.1%}",
            f"{each.covered_without:.1%}",
            f"{each.width:.2f}",
            f"{each.open_share:.1%}",
        )
        for each in found
    ]
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    found = [coverage(case, options.repeats) for case in CASES]
    print(table(found))
    misses = [miss for each in found for miss in each.misses()]
    print("\n".join(misses) if misses else "every figure is within its limit")
    return 1 if misses else 0


if __name__ == "__main__":
    run(main)
