"""The result of a comparison of two sides."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.analysis.ab.segments import Measure
from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.interval import Interval


@dataclass(frozen=True, slots=True)
class Change:
    """The change of a measure from base to head.

    Latencies are in ms, and their change is relative: 0.1 if head is 10 % slower. Failures are shares of the requests,
    and their change is a difference of shares.

    - `interval`: of `change`, by a jackknife over pairs.
    - `p_value`: adjusted for all rules; None for a measure that does not affect the outcome.
    - `pairs`: the change of each pair, in the order of the pairs; None where a side has no value.
    - `detectable`: the smallest change that this number of pairs finds with a probability of 80 %.
    - `more_pairs`: how many further pairs would decide; None if it is decided, or if no number of pairs would.
    """

    measure: Measure
    base: float | None
    head: float | None
    change: float | None
    interval: Interval | None
    p_value: float | None
    pairs: tuple[float | None, ...]
    detectable: float | None
    more_pairs: int | None
    outcome: RuleOutcome
    reason: str


@dataclass(frozen=True, slots=True)
class NameChange:
    """The change of the p95 of one request name. `is_discovery`: it remains if 5 % of such findings may be wrong."""

    name: str
    base_ms: float
    head_ms: float
    change: float
    interval: Interval | None
    is_discovery: bool


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition without which a comparison is inconclusive. `value` and `limit` are shares; None if not measured."""

    name: str
    value: float | None
    limit: float | None
    is_broken: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class AbResult:
    """The conclusion from all pairs so far.

    - `is_final`: False if another look is planned and would decide more.
    - `reason`: one sentence, the conclusion with its most important numbers.
    """

    outcome: RuleOutcome
    reason: str
    is_final: bool
    pairs: int
    rules: tuple[Change, ...]
    others: tuple[Change, ...]
    names: tuple[NameChange, ...]
    guards: tuple[Guard, ...]
