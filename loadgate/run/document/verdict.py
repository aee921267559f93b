"""The verdict and the result of each rule."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadgate.exit_codes import ExitCode
from loadgate.rules import Interval, Operator, RuleOutcome, Unit
from loadgate.run.document.parts import Count, Number, Part, Text


class RuleRecord(Part):
    """A rule and its result."""

    rule: Text = Field(description="In the grammar of rules.")
    scope: Text = Field(description="A group, a request name or `overall`.")
    metric: Text
    operator: Operator
    limit: Number = Field(description="In `unit`.")
    unit: Unit
    window_s: Count | None
    abort: bool
    stage: Text | None = Field(default=None, description="The stage whose requests are judged; null or absent: all.")
    outcome: RuleOutcome
    value: Number | None = Field(
        description="In `unit`, of the worst window where the rule has a window; null where it cannot be known."
    )
    samples: Count = Field(description="Requests from which the value was computed.")
    margin: Number | None = Field(description="Distance to the limit as a share of it, positive where the rule holds.")
    interval: Interval | None
    stages: Literal["all", "steady"] = Field(description="Steady: without the ramp.")
    value_all_stages: Number | None = Field(description="The value with the ramp.")
    window_start_s: Number | None = Field(description="When the worst window began, in epoch seconds.")
    reason: Text = Field(description="One sentence.")


class VerdictRecord(Part):
    """The verdict."""

    outcome: RuleOutcome
    exit_code: ExitCode
    reason: Text = Field(description="One sentence.")
    notes: list[Text] = Field(
        description="What makes the run inconclusive or belongs beside its figures, a sentence each."
    )
    rules: list[RuleRecord]
