"""The false alarms of the test of comparisons, from real segments of versions that do not differ.

Each synthetic comparison consists of pairs that are drawn from those of all null comparisons. The labels of each pair
are exchanged with a probability of one half, so no difference can remain.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.calibrate.ab.versions import GROUP
from benchmarks.calibrate.ab_segments import BASE, RULES
from benchmarks.calibrate.ab_simulated import LOOKS, Case, Simulated, Simulation, false_alarms
from loadgate.analysis.ab.judge import judge
from loadgate.analysis.ab.segments import Comparison, Pair
from loadgate.report.ab.document import AbDocument
from loadgate.run.document import read_run
from loadgate.runner.ab.segments import segment_of

COMPARISONS = 2000
COMPARISON = Comparison(tuple(replace(rule, scope=GROUP) for rule in RULES), looks=LOOKS)
HEAD = "| versions | comparisons | alarms at the first look | at both |\n| --- | ---: | ---: | ---: |"


def stored_pairs(folder: Path) -> list[Pair]:
    """Return the pairs of a comparison from the runs of its segments."""
    document = AbDocument.read(folder)
    rate_per_s = document.plan.rate_per_s
    segments = {
        (one.pair, one.side): segment_of(read_run(folder / one.folder), rate_per_s, one.control_ms)
        for one in document.segments
    }
    numbers = sorted({pair for pair, _ in segments})
    return [Pair(segments[number, "base"], segments[number, "head"]) for number in numbers]


def relabelled(pairs: Sequence[Pair], seed: int) -> Simulated:
    """Return the result of a synthetic comparison at both looks."""
    rnd = random.Random(seed)  # noqa: S311 - the same comparison for the same seed
    drawn = [Pair(pair.head, pair.base) if rnd.random() < 0.5 else pair for pair in rnd.sample(pairs, LOOKS[-1])]
    return Simulated(tuple(judge(drawn[:look], COMPARISON) for look in LOOKS))


def prove(pairs: Sequence[Pair], comparisons: int = COMPARISONS) -> list[str]:
    """Print the share of false alarms, and return what is beyond its limit."""
    known = [pair for pair in pairs if pair.can_be_compared]
    if len(known) < LOOKS[-1]:
        return [f"relabelled: {len(known)} pairs are too few; {LOOKS[-1]} are needed"]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(partial(relabelled, known), range(comparisons), chunksize=50))
    row, misses = false_alarms(Simulation(Case(BASE), found))
    print("\n".join((f"{len(known)} pairs, relabelled:", HEAD, row)))
    return misses
