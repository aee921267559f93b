"""The vocabulary of rules: what is asked of a run, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from loadgate.units import compact_duration, plain


class MetricKind(StrEnum):
    """What a rule reads. The latency kinds read successful requests only; the others read both outcomes."""

    PERCENTILE = "percentile"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    FAILURES = "failures"
    REQUESTS = "requests"
    THROUGHPUT = "throughput"

    @property
    def is_latency(self) -> bool:
        """Whether the value is a time."""
        return self in {MetricKind.PERCENTILE, MetricKind.MEAN, MetricKind.MIN, MetricKind.MAX}


@dataclass(frozen=True, slots=True)
class Metric:
    """A kind and, for a percentile, its `percent` (95 for p95, 99.9 for p99.9)."""

    kind: MetricKind
    percent: float | None = None

    @property
    def quantile(self) -> float:
        """The percentile as a fraction. Raises ValueError for any other kind."""
        if self.percent is None:
            raise ValueError(f"{self.kind} has no quantile")
        return round(self.percent / 100, 12)

    def __str__(self) -> str:
        return self.kind.value if self.percent is None else f"p{plain(self.percent)}"


class Operator(StrEnum):
    """How the value must compare with the limit."""

    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="

    def holds(self, value: float, limit: float) -> bool:
        """Whether `value` satisfies the comparison, exactly as written."""
        return {
            Operator.LT: value < limit,
            Operator.LE: value <= limit,
            Operator.GT: value > limit,
            Operator.GE: value >= limit,
        }[self]

    @property
    def bounds_from_above(self) -> bool:
        """Whether too large a value is what breaks the rule."""
        return self in {Operator.LT, Operator.LE}


class Unit(StrEnum):
    """The unit of a rule's limit and value: ms for every time, percent of requests, a count, or requests a second."""

    MS = "ms"
    PERCENT = "%"
    COUNT = ""
    PER_SECOND = "/s"


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement. `limit` is in `unit`.

    With `window_s` it must hold in every full window of that length (seconds). With `stage` it is asked of the
    requests of that stage only: `ramp`, or a stage of the profile by its name.
    """

    scope: str
    metric: Metric
    operator: Operator
    limit: float
    unit: Unit
    window_s: int | None = None
    abort: bool = False
    stage: str | None = None

    def __str__(self) -> str:
        """The rule in its own grammar; parsing it again gives an equal rule."""
        window = f" over {compact_duration(self.window_s)}" if self.window_s else ""
        limit = plain(self.limit) + self.unit.value
        stage = f" in {self.stage}" if self.stage else ""
        abort = " abort" if self.abort else ""
        return f"{self.scope}: {self.metric} {self.operator.value} {limit}{window}{stage}{abort}"


class RuleOutcome(StrEnum):
    """Whether a rule held, or why nothing can be said."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval in the unit of the rule; a bound that the samples cannot give is None."""

    low: float | None
    high: float | None
    confidence: float

    def contains(self, limit: float) -> bool:
        """Whether `limit` lies strictly inside; an absent bound excludes nothing."""
        return (self.low is None or self.low < limit) and (self.high is None or limit < self.high)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What came of one rule.

    `value` is in the rule's unit (of the worst window, where there is one), None when it cannot be known; `samples`
    are the requests it was computed from. `margin` is the distance to the limit as a share of the limit: positive
    when the rule held. `stages` is `steady` when the ramp was left out and `all` otherwise; `value_all_stages` is the
    value with the ramp, for latencies without a stage of their own. `window_start_s` is the epoch second in which the
    worst window began. It is `doubted` when it is inconclusive because the load generator may have made the value.
    `reason` is one sentence.
    """

    rule: Rule
    outcome: RuleOutcome
    reason: str
    value: float | None = None
    samples: int = 0
    interval: Interval | None = None
    stages: Literal["all", "steady"] = "all"
    value_all_stages: float | None = None
    window_start_s: int | None = None
    doubted: bool = False

    @property
    def limit(self) -> float:
        """The rule's limit, in its unit."""
        return self.rule.limit

    @property
    def margin(self) -> float | None:
        """(limit - value) / limit, signed so that positive is good; None without a value or with a limit of 0."""
        if self.value is None or not self.rule.limit:
            return None
        share = (self.rule.limit - self.value) / self.rule.limit
        return share if self.rule.operator.bounds_from_above else -share


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a run: fail when a rule failed, else inconclusive when one is, else pass.

    Without a rule or without a request nothing was shown, which is inconclusive. `notes` are sentences on the run as
    a whole, such as reports of workers that never came.
    """

    outcome: RuleOutcome
    results: tuple[RuleResult, ...]
    reason: str
    notes: tuple[str, ...] = ()
