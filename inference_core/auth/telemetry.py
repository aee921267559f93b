"""The Prometheus metrics of accounts."""

from __future__ import annotations

from inference_core.core.telemetry import multiprocess  # noqa: F401  # isort: skip  # must come before prometheus_client

from prometheus_client import Histogram

from inference_core.core.telemetry.metrics import LATENCY_BUCKETS_S, Metrics


class AuthMetrics:
    """The wait for password hashing, of which at most one per core runs at a time."""

    def __init__(self, metrics: Metrics) -> None:
        self.hash_wait = Histogram(
            "password_hash_wait_seconds",
            "Time that password hashes waited for a thread.",
            buckets=LATENCY_BUCKETS_S,
            registry=metrics.registry,
        )
