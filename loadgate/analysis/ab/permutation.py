"""The test whether base and head differ: the labels of whole pairs are exchanged.

Without a difference between the versions, the labels of a pair could as well be the other way round. The differences
under all exchanges (flips) therefore show what chance alone makes. No distribution is assumed, and requests in the same
stall need not be independent. See Lehmann and Romano, Testing Statistical Hypotheses, 4th ed., 17.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from random import Random

from loadgate.analysis.ab.estimate import Scope, difference
from loadgate.analysis.ab.segments import Measure

EXACT_PAIRS = 13
RANDOM_FLIPS = 9_999
_SEED = 20_230_117
_SAME = 1e-9
"""Relative differences of statistics up to this are rounding errors."""

Flip = tuple[bool, ...]
"""For each pair, whether its labels are exchanged."""


def flips(pairs: int, seed: int = _SEED) -> list[Flip]:
    """Return the flips of a test. The first one exchanges nothing.

    Up to 13 pairs, it is one of each two opposite flips of all 2^m: the opposite has the same |difference|. For more
    pairs, it is 9,999 random flips. A test that includes the flip that exchanges nothing is valid with any number of
    random ones (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).
    """
    if pairs <= EXACT_PAIRS:
        return [(False, *rest) for rest in product((False, True), repeat=pairs - 1)] if pairs else [()]
    rng = Random(seed)  # noqa: S311 - the same flips each time
    draws = (f"{rng.getrandbits(pairs):0{pairs}b}" for _ in range(RANDOM_FLIPS))
    return [(False,) * pairs, *(tuple(bit == "1" for bit in draw) for draw in draws)]


def smallest_p_value(pairs: int) -> float:
    """Return the smallest p-value that a number of pairs, at least one, can have: one of its flips."""
    return 2.0 ** (1 - pairs) if pairs <= EXACT_PAIRS else 1 / (1 + RANDOM_FLIPS)


def statistics(scope: Scope, measures: Sequence[Measure], chosen: Sequence[Flip]) -> list[list[float]]:
    """Return for each measure the |difference| under each flip, divided by its root mean square over the flips.

    A flip under which a side has no value counts as an infinite difference, so it never makes a difference significant.

    The scale makes measures comparable. It does not depend on which labels are the true ones, so the test remains
    exact. A standard error of the true labels would depend on them.
    """
    rows: list[list[float]] = [[] for _ in measures]
    for flip in chosen:
        sides = scope.exchanged(flip)
        for row, measure in zip(rows, measures, strict=True):
            found = difference(measure, sides)
            row.append(math.inf if found is None else abs(found))
    return [scaled(row) for row in rows]


def scaled(row: Sequence[float]) -> list[float]:
    """Return a statistic under all flips, divided by the root mean square of its finite values."""
    finite = [value for value in row if math.isfinite(value)]
    scale = math.sqrt(math.fsum(value * value for value in finite) / len(finite)) if finite else 0.0
    return [value / scale for value in row] if scale else list(row)


def p_value(statistic: Sequence[float]) -> float:
    """Return the share of the flips with at least the statistic of the first one, which exchanges nothing."""
    least = statistic[0] * (1 - _SAME)
    return sum(value >= least for value in statistic) / len(statistic)


def adjusted_p_values(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return the p-value of each rule, adjusted so that a false alarm of any rule has the probability of the level.

    `rows` has the statistic of each rule under each flip. The step-down maxT procedure compares the largest statistic
    with the maximum of all rules, the second largest with that of all but the first, and so on (Westfall and Young,
    Resampling-Based Multiple Testing, 1993, algorithm 4.1). It takes into account that rules are not independent.
    """
    ascending = sorted(range(len(rows)), key=lambda rule: rows[rule][0])
    found = [1.0] * len(rows)
    highest: list[float] = [0.0] * (len(rows[0]) if rows else 0)
    for rule in ascending:
        # The first maximum is the rule's own statistic, because the statistics ascend.
        highest = list(map(max, highest, rows[rule]))
        found[rule] = p_value(highest)
    least = 0.0
    for rule in reversed(ascending):
        least = found[rule] = max(least, found[rule])
    return found


def discoveries(p_values: Sequence[float], share: float) -> list[bool]:
    """Return which p-values are discoveries, if at most this share of the discoveries may be false on average.

    Source: Benjamini and Hochberg, J. R. Stat. Soc. B 57, 1995.
    """
    ascending = sorted(p_values)
    allowed = [one for rank, one in enumerate(ascending, 1) if one <= share * rank / len(ascending)]
    return [bool(allowed) and one <= allowed[-1] for one in p_values]
