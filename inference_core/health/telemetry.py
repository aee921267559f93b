"""The Prometheus metrics of the health probes."""

from __future__ import annotations

from inference_core.core.telemetry.metrics import Metrics


class HealthMetrics:
    """The round trip to Redis, and `dependency_up`, which other features set too."""

    def __init__(self, metrics: Metrics) -> None:
        self.up = metrics.up
        self.redis_round_trip = metrics.gauge("redis_round_trip_seconds", "Time of the last probe of Redis.", "livemax")
