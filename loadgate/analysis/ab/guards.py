"""The conditions without which a comparison is inconclusive, because the sides were not measured in the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

from loadgate import units
from loadgate.analysis.ab.faults import Faults, most_left_out
from loadgate.analysis.ab.result import Guard
from loadgate.analysis.ab.segments import Pair
from loadgate.analysis.binomial import binomial_cdf

MOST_MOVED = 0.02
MOVED_CONFIDENCE = 0.99
MOST_RATE_DIFFERENCE = 0.01

_CONTROL = "The control server of the load gate, which is the same for both sides,"


def guards(pairs: Sequence[Pair], planned: int) -> tuple[Guard, ...]:
    """Return the guards of all measured pairs. `planned` is the number of pairs at the first look."""
    compared = [pair for pair in pairs if pair.can_be_compared]
    return _control(compared), _rate(compared), _compared_pairs(pairs, planned)


def _control(pairs: Sequence[Pair]) -> Guard:
    """Return the guard of the control server, which is the same for both sides and must therefore not move.

    The move is the median of the pairs, so pairs in which another program started have no influence. Its interval is
    that of order statistics, which needs no distribution (David and Nagaraja, Order Statistics, 3rd ed., 7.1). A move
    is broken only if it is also outside the 99 % interval, which takes at least 8 pairs.
    """
    moves = sorted(
        math.log(pair.head.control_ms / pair.base.control_ms)
        for pair in pairs
        if pair.base.control_ms and pair.head.control_ms
    )
    if not moves:
        unknown = f"{_CONTROL} was not measured, so it is unknown whether the machine was equally fast for both."
        return Guard("control", None, MOST_MOVED, bool(pairs), unknown)
    moved = math.expm1(median(moves))
    # The number of pairs below the true median is binomial with a probability of one half.
    beyond = sum(2 * binomial_cdf(rank, len(moves), 0.5) <= 1 - MOVED_CONFIDENCE for rank in range(len(moves) // 2))
    is_real = beyond > 0 and (moves[beyond - 1] > 0 or moves[-beyond] < 0)
    is_broken = is_real and abs(moved) > MOST_MOVED
    sentence = (
        f"{_CONTROL} was {units.percentage(abs(moved), MOST_MOVED)} {'slower' if moved > 0 else 'faster'} beside head"
    )
    if is_broken:
        sentence += ", so the machine was not equally fast for both."
    else:
        sentence += ", which is within its noise." if abs(moved) > MOST_MOVED else "."
    return Guard("control", moved, MOST_MOVED, is_broken, sentence)


def _rate(pairs: Sequence[Pair]) -> Guard:
    """Return the guard of the arrival rates: a side that gets less load is not comparable."""
    base, head = (
        fmean(rates) if rates else 0.0
        for rates in ([pair.base.rate_per_s for pair in pairs], [pair.head.rate_per_s for pair in pairs])
    )
    if not base or not head:
        return Guard("rate", None, MOST_RATE_DIFFERENCE, bool(pairs), "The arrival rates were not measured.")
    differs = head / base - 1
    is_broken = abs(differs) > MOST_RATE_DIFFERENCE
    sentence = (
        f"The arrival rates were {units.per_second(base)} for base and {units.per_second(head)} for head, "
        f"a difference of {units.percentage(abs(differs), MOST_RATE_DIFFERENCE)}"
    )
    sentence += f"; at most {units.given_percentage(MOST_RATE_DIFFERENCE)} is allowed." if is_broken else "."
    return Guard("rate", differs, MOST_RATE_DIFFERENCE, is_broken, sentence)


def _compared_pairs(pairs: Sequence[Pair], planned: int) -> Guard:
    """Return the guard of the pairs that cannot be compared. Its value and its limit are shares of the planned pairs.

    Some pairs may be left out, but none in which a target has a fault. Faults that are a regression make the comparison
    fail, so they do not count here.
    """
    problems = [
        f"pair {number}, {side}: {segment.problem}"
        for number, pair in enumerate(pairs, 1)
        for side, segment in [("base", pair.base) if pair.base.problem else ("head", pair.head)]
        if segment.problem
    ]
    faults, most = Faults.of(pairs), most_left_out(planned)
    if not problems:
        return Guard(
            "pairs", 0.0, _share(most, planned), False, f"All {units.count(len(pairs))} pairs can be compared."
        )
    sentence = f"{units.count(len(problems))} of {units.count(len(pairs))} pairs cannot be compared: {problems[0]}"
    sentence += f"; {units.count(len(problems) - 1)} more" if len(problems) > 1 else ""
    if faults.of_targets and not faults.is_regression:
        return Guard("pairs", _share(faults.of_targets, planned), 0.0, True, f"{sentence}.")
    is_broken = faults.left_out > most
    sentence += f"; at most {units.count(most)} may be left out." if is_broken else "."
    return Guard("pairs", _share(faults.left_out, planned), _share(most, planned), is_broken, sentence)


def _share(pairs: int, planned: int) -> float:
    return round(pairs / planned, 3)
