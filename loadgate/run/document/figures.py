"""The figures of all requests, of each group and of each name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from loadgate.recorder import LatencySketch
from loadgate.run.document.parts import Count, Part, Text

Milliseconds = float | None
Share = Annotated[float, Field(ge=0, le=1)]


class LatencyFigures(Part):
    """Latencies in ms, null without requests. Percentiles are nearest rank, within 0.5 %; all others are exact."""

    mean: Milliseconds
    min: Milliseconds
    p50: Milliseconds
    p90: Milliseconds
    p95: Milliseconds
    p99: Milliseconds
    p99_9: Milliseconds = Field(alias="p99.9")
    max: Milliseconds

    @classmethod
    def of(cls, sketch: LatencySketch) -> LatencyFigures:
        """Return the figures of a sketch."""
        p50, p90, p95, p99, p99_9 = (sketch.quantile(percent / 100) for percent in (50, 90, 95, 99, 99.9))
        return cls(
            mean=sketch.mean_ms, min=sketch.min_ms, max=sketch.max_ms, p50=p50, p90=p90, p95=p95, p99=p99, p99_9=p99_9
        )


class Buckets(Part):
    """Samples by bucket of the latency sketch. docs/measurement.md describes the buckets."""

    buckets: list[Count] = Field(description="The used buckets in ascending order.")
    samples: list[Annotated[Count, Field(ge=1)]] = Field(description="The number of samples in each bucket.")

    @classmethod
    def of(cls, sketch: LatencySketch) -> Buckets:
        """Return the buckets of a sketch."""
        buckets = sorted(sketch.buckets)
        return cls(buckets=buckets, samples=[sketch.buckets[bucket] for bucket in buckets])

    def sketch(self, times_ms: LatencyFigures) -> LatencySketch:
        """Return the sketch with these buckets and figures. Raises ValueError if the lists differ in length."""
        buckets = dict(zip(self.buckets, self.samples, strict=True))
        return LatencySketch.from_stored(buckets, times_ms.min, times_ms.max, times_ms.mean)


class Distribution(Part):
    """All latencies of each outcome, including the ramp."""

    success: Buckets
    failure: Buckets


class ScopeFigures(Part):
    """The figures of one scope."""

    kind: Literal["request", "measure"] = Field(
        description=(
            "A measure is a duration that a user class records in addition to its requests. Its `requests` is the "
            "number of values, and its `success_ms` describes the values."
        )
    )
    requests: Count
    failures: Count
    failure_rate: Share | None = Field(description="The share of failed requests; null without requests.")
    requests_per_s: float | None = Field(
        description="Requests that were sent during the load, divided by its duration."
    )
    response_bytes: Count
    success_ms: LatencyFigures = Field(description="Latencies of successful requests, including the ramp.")
    failure_ms: LatencyFigures = Field(description="Latencies of failed requests.")
    distribution: Distribution
    steady_success_ms: LatencyFigures = Field(
        description="Latencies of successful requests that were sent after the ramp."
    )
    service_ms: LatencyFigures | None = Field(
        description="Service times of successful requests in an open model; null in a closed model."
    )

    @property
    def estimate_ms(self) -> LatencyFigures | None:
        """Return the latencies corrected for coordinated omission. Only groups have them."""
        return None

    def success_sketch(self) -> LatencySketch:
        """Return the latencies of successful requests."""
        return self.distribution.success.sketch(self.success_ms)

    def failure_sketch(self) -> LatencySketch:
        """Return the latencies of failed requests."""
        return self.distribution.failure.sketch(self.failure_ms)


class GroupFigures(ScopeFigures):
    """The figures of a group, or of all requests."""

    corrected_ms: LatencyFigures | None = Field(
        description="An estimate of the latencies, corrected for coordinated omission; null in an open model."
    )

    @property
    def estimate_ms(self) -> LatencyFigures | None:
        """Return the latencies corrected for coordinated omission."""
        return self.corrected_ms


class _Named(Part):
    group: Text = Field(description="Empty for requests without a group.")
    name: Text


class NameFigures(ScopeFigures, _Named):
    """The figures of one request name."""


class TotalFigures(Part):
    """Figures over the whole run."""

    overall: GroupFigures
    groups: dict[Text, GroupFigures] = Field(description="The figures by group.")
    requests: list[NameFigures] = Field(description="The figures of each request name, sorted by group and name.")

    def scopes(self) -> list[ScopeFigures]:
        """Return the figures of all scopes: overall, groups, names."""
        return [self.overall, *self.groups.values(), *self.requests]
