"""What the load gate concludes from a run in addition to the rules."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadgate.analysis.growth.kind import Cause
from loadgate.analysis.recovery.recovery import RecoveryState
from loadgate.recorder.resources import ResourceUnit
from loadgate.run.document.parts import Part, Positive, Text


class GrowthRecord(Part):
    """The growth of a quantity of a resource under load, after the ramp. Values are in `unit` per second."""

    resource: Text
    quantity: Text
    unit: ResourceUnit
    per_s: float
    low_per_s: float = Field(description="Lower bound of the 95 % interval.")
    high_per_s: float
    visible_per_s: Positive = Field(description="The smallest growth that the run would show with 80 % probability.")
    kind: Cause | None = Field(description="What keeps the memory; null if it does not grow, or for other quantities.")
    doubt: Text | None = Field(
        default=None,
        exclude_if=lambda doubt: doubt is None,
        description="Why the growth is no leak, one clause: it is small or may end; absent if it can be a leak.",
    )
    sentence: Text


class RecoveryRecord(Part):
    """How a scope behaved in a stage of higher load, and how long it was outside of its band after it."""

    scope: Text
    stage: Text
    state: RecoveryState
    time_s: Positive | None = Field(description="Seconds from the end of the stage; null unless it recovered.")
    window_s: Positive = Field(description="The resolution of `time_s`.")
    peak_ms: Positive | None = Field(description="The highest p95 of a window until the recovery.")
    sentences: list[Text]


class EpisodeRecord(Part):
    """A time in which a scope was outside of its band, and what explains it."""

    scope: Text
    start_s: float
    end_s: float
    added_ms: float = Field(description="The mean latency in it minus that of the base.")
    explained_by: Literal["wait", "cpu", "nothing"]
    cause: Text | None = Field(description="The resource and the quantity of the wait, or the resource of the CPU.")
    share: Positive | None = Field(
        description="The share that the wait explains; null without one, or if threads got no CPU time."
    )
    sentence: Text


class BreachRecord(Part):
    """When the requests of a failed rule broke it, and which request names did."""

    rule: Text
    spans: list[tuple[float, float]] = Field(
        description="[start, end) of the broken time in epoch seconds; empty if only the run as a whole broke the rule."
    )
    requests: list[Text] = Field(
        description="The fewest request names without which the rule would hold; empty if none stands out."
    )
    sentence: Text


class ConclusionsRecord(Part):
    """The conclusions of a run. A list is empty if nothing was measured or found."""

    growth: list[GrowthRecord]
    recoveries: list[RecoveryRecord]
    left_over: list[Text] = Field(description="What a stage of higher load left behind, one sentence each.")
    episodes: list[EpisodeRecord]
    breaches: list[BreachRecord] = Field(
        default_factory=list,
        exclude_if=lambda there: not there,
        description="How each failed rule on latencies or failures was broken; absent without one.",
    )
