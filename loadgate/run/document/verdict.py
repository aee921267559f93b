"""The verdict and the result of each rule."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadgate.exit_codes import ExitCode
from loadgate.rules import Interval, Operator, RuleOutcome, RuleResult, Unit
from loadgate.run.document.parts import Count, Number, Part, Text


class IntervalRecord(Part):
    """A confidence interval in the unit of the rule. A bound is null if there are too few samples."""

    low: float | None
    high: float | None
    confidence: float

    def contains(self, limit: float) -> bool:
        """Return whether `limit` lies strictly inside the interval. A bound that is null counts as infinite."""
        return Interval(self.low, self.high, self.confidence).contains(limit)


class RuleRecord(Part):
    """A rule and its result."""

    rule: Text = Field(description="The rule in the grammar of rules.")
    scope: Text = Field(description="A group, a request name or `overall`.")
    metric: Text
    operator: Operator
    limit: Number = Field(description="The limit in `unit`.")
    unit: Unit
    window_s: Count | None
    abort: bool
    stage: Text | None = Field(
        default=None, description="The stage whose requests the rule reads; null or absent for all stages."
    )
    compared_with: Text | None = Field(
        default=None,
        exclude_if=lambda stage: stage is None,
        description="The stage by whose value the value in `stage` is divided; absent for other rules.",
    )
    capacity: Number | None = Field(
        default=None,
        exclude_if=lambda capacity: capacity is None,
        description="The limit of the resource of a `lasts` rule: a count, or MB if `in_mb`; absent for other rules.",
    )
    in_mb: bool = Field(
        default=False,
        exclude_if=lambda in_mb: not in_mb,
        description="Whether `capacity` is in MB (10^6 bytes); absent if not.",
    )
    outcome: RuleOutcome
    value: Number | None = Field(
        description="The value in `unit`; for a rule with a window, that of the worst window; null if it is unknown."
    )
    samples: Count = Field(
        description="Number of requests from which the value is computed; for a resource, of blocks of seconds."
    )
    margin: Number | None = Field(
        description="Distance between the value and the limit, as a share of the limit; positive if the rule holds."
    )
    interval: IntervalRecord | None
    design_effect: float | None = Field(
        default=None,
        ge=1,
        exclude_if=lambda effect: effect is None,
        description="Number of requests that count as one independent request in `interval`; absent if it is unknown.",
    )
    stages: Literal["all", "steady"] = Field(description="`steady` if the value excludes the ramp, else `all`.")
    value_all_stages: Number | None = Field(
        description="The value including the ramp, for a latency rule without a stage."
    )
    window_start_s: Number | None = Field(description="Start of the worst window in epoch seconds.")
    reason: Text = Field(description="One sentence.")

    @classmethod
    def of(cls, result: RuleResult) -> RuleRecord:
        """Return the record of a result."""
        rule = result.rule
        return cls(
            rule=str(rule),
            scope=rule.scope,
            metric=str(rule.metric),
            operator=rule.operator,
            limit=rule.limit,
            unit=rule.unit,
            window_s=rule.window_s,
            abort=rule.abort,
            stage=rule.stage,
            compared_with=rule.compared_with,
            capacity=rule.capacity,
            in_mb=rule.in_mb,
            outcome=result.outcome,
            value=result.value,
            samples=result.samples,
            margin=result.margin,
            interval=IntervalRecord.model_validate(result.interval) if result.interval is not None else None,
            design_effect=result.interval.design_effect if result.interval is not None else None,
            stages=result.stages,
            value_all_stages=result.value_all_stages,
            window_start_s=result.window_start_s,
            reason=result.reason,
        )


class VerdictRecord(Part):
    """The verdict."""

    outcome: RuleOutcome
    exit_code: ExitCode
    reason: Text = Field(description="One sentence.")
    notes: list[Text] = Field(description="Invalidating conditions and remarks on the run, one sentence each.")
    rules: list[RuleRecord]
