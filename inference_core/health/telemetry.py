"""The Prometheus metrics of the health probes."""

from __future__ import annotations

from collections.abc import Mapping

from inference_core.core.redis.eviction import ServerMemory
from inference_core.core.telemetry.metrics import Metrics


class HealthMetrics:
    """The round trip to Redis, its memory, and `dependency_up`, which other features set too."""

    def __init__(self, metrics: Metrics) -> None:
        self.up = metrics.up
        self.redis_round_trip = metrics.gauge("redis_round_trip_seconds", "Time of the last probe of Redis.", "livemax")
        self._redis_memory = metrics.gauge(
            "redis_memory_used_bytes", "Used memory of Redis, read every 10 s.", "livemax", ("server",)
        )
        self._redis_limit = metrics.gauge(
            "redis_memory_limit_bytes", "Maximum memory of Redis, if it has one.", "livemax", ("server",)
        )

    def set_redis_memory(self, memory: Mapping[str, ServerMemory]) -> None:
        """Update the memory of each server. The label is the setting with its URL."""
        for server, (used, limit) in memory.items():
            self._redis_memory.labels(server).set(used)
            if limit:
                self._redis_limit.labels(server).set(limit)
