"""The types of rules and their results."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.interval import Interval
from loadgate.units import compact_duration, plain


class MetricKind(StrEnum):
    """The kind of a metric.

    Latency kinds read successful requests only. `failures`, `requests` and `throughput` read all requests. `growth` and
    `lasts` read a quantity of a resource of the target. `recovery` reads the time after a stage. `capacity` is found by
    a search of many runs.
    """

    PERCENTILE = "percentile"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    FAILURES = "failures"
    REQUESTS = "requests"
    THROUGHPUT = "throughput"
    GROWTH = "growth"
    LASTS = "lasts"
    RECOVERY = "recovery"
    CAPACITY = "capacity"

    @property
    def is_latency(self) -> bool:
        """Return whether the value is a time."""
        return self in {MetricKind.PERCENTILE, MetricKind.MEAN, MetricKind.MIN, MetricKind.MAX}

    @property
    def reads_resource(self) -> bool:
        """Return whether the scope of a rule is a resource of the target."""
        return self in {MetricKind.GROWTH, MetricKind.LASTS}


@dataclass(frozen=True, slots=True)
class Metric:
    """A kind, and its argument.

    The argument is the `percent` of a percentile (95 for p95, 99.9 for p99.9), or the `quantity` of a resource whose
    growth or time until its limit the metric is, such as `memory`.
    """

    kind: MetricKind
    percent: float | None = None
    quantity: str = ""

    @property
    def quantile(self) -> float:
        """Return the percentile as a fraction. Raises ValueError for any other kind."""
        if self.percent is None:
            raise ValueError(f"{self.kind} has no quantile")
        return round(self.percent / 100, 12)

    def __str__(self) -> str:
        if self.quantity:
            return f"{self.quantity} {self.kind.value}"
        return self.kind.value if self.percent is None else f"p{plain(self.percent)}"


class Operator(StrEnum):
    """The comparison that the value and the limit must satisfy."""

    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="

    def holds(self, value: float, limit: float) -> bool:
        """Return whether `value` satisfies the comparison, without any tolerance."""
        return {
            Operator.LT: value < limit,
            Operator.LE: value <= limit,
            Operator.GT: value > limit,
            Operator.GE: value >= limit,
        }[self]

    @property
    def bounds_from_above(self) -> bool:
        """Return whether the limit is an upper limit."""
        return self in {Operator.LT, Operator.LE}


class Unit(StrEnum):
    """The unit of a rule's limit and value."""

    MS = "ms"
    PERCENT = "%"
    """Percent of the requests."""
    COUNT = ""
    PER_SECOND = "/s"
    MB_PER_HOUR = "MB/h"
    """1 MB is 10^6 bytes."""
    PER_HOUR = "/h"
    SECONDS = "s"
    DAYS = "d"
    TIMES = "x"
    """A multiple of the value in another stage."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition that a run must satisfy. `limit` is in `unit`.

    With `window_s` the rule must hold in every full window of that many seconds. With `stage` it reads only the
    requests of that stage: `ramp`, or the name of a stage of the profile. With `abort` its failure stops the run.
    The value of a rule with `compared_with` is divided by the value in that stage. A recovery rule reads the time after
    the end of `stage`. `capacity` is the limit of the resource of a `lasts` rule: a count, or MB if `in_mb`.
    """

    scope: str
    metric: Metric
    operator: Operator
    limit: float
    unit: Unit
    window_s: int | None = None
    abort: bool = False
    stage: str | None = None
    compared_with: str | None = None
    capacity: float | None = None
    in_mb: bool = False

    @property
    def needs_search(self) -> bool:
        """Return whether only a search for the capacity can judge the rule. No run can."""
        return self.metric.kind is MetricKind.CAPACITY

    @property
    def is_known_at_end(self) -> bool:
        """Return whether the rule can be evaluated only after the run."""
        return self.metric.kind.reads_resource or self.metric.kind is MetricKind.RECOVERY or bool(self.compared_with)

    @property
    def counts_in_time(self) -> bool:
        """Return whether the rule reads requests per time. `requests` without a window is a plain count."""
        kind = self.metric.kind
        return kind is MetricKind.THROUGHPUT or (kind is MetricKind.REQUESTS and self.window_s is not None)

    def __str__(self) -> str:
        """Return the rule in its grammar. Parsing the text gives an equal rule."""
        window = f" over {compact_duration(self.window_s)}" if self.window_s else ""
        limit = plain(self.limit) + self.unit.value
        if self.needs_search:
            return f"{self.metric} {self.operator.value} {limit}"
        if self.compared_with:
            return f"{self.scope}: {self.metric} {self.stage} {self.operator.value} {limit} {self.compared_with}"
        if self.capacity is not None:
            unit = "MB" if self.in_mb else ""
            return f"{self.scope}: {self.metric} {self.operator.value} {limit} of {plain(self.capacity)}{unit}"
        preposition = "after" if self.metric.kind is MetricKind.RECOVERY else "in"
        stage = f" {preposition} {self.stage}" if self.stage else ""
        abort = " abort" if self.abort else ""
        return f"{self.scope}: {self.metric} {self.operator.value} {limit}{window}{stage}{abort}"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """The result of one rule.

    - `reason`: one sentence.
    - `value`: the value in the rule's unit, None if it is unknown; for a rule with a window, that of the worst window.
    - `samples`: the number of requests from which the value is computed; for a growth, the number of blocks.
    - `stages`: `steady` if the value excludes the ramp, else `all`.
    - `value_all_stages`: the value with the ramp, for a latency rule without a stage.
    - `window_start_s`: the epoch second at which the worst window starts.
    - `undetermined`: the result is inconclusive because the load generator may have caused the value.
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
    undetermined: bool = False

    @property
    def margin(self) -> float | None:
        """Return the distance between the value and the limit as a share of the limit, positive if the rule holds.

        None without a value or with a limit of 0.
        """
        if self.value is None or not self.rule.limit:
            return None
        share = (self.rule.limit - self.value) / self.rule.limit
        return share if self.rule.operator.bounds_from_above else -share


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a run: fail if a rule failed, else inconclusive if a rule is inconclusive, else pass.

    A run without a rule or without a request is inconclusive. `notes` are sentences on the whole run, such as a lost
    worker report.
    """

    outcome: RuleOutcome
    results: tuple[RuleResult, ...]
    reason: str
    notes: tuple[str, ...] = ()
