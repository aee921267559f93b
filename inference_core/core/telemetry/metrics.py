"""The Prometheus metrics of the service: one `Metrics` per application, shared by the processes of one server."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from inference_core.core.logging import request_id_var

from inference_core.core.telemetry import multiprocess  # isort: skip  # must come before prometheus_client

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from inference_core.core.telemetry.tally import Tally

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
LAG_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)

T = TypeVar("T")


@dataclass(slots=True)
class Metrics:
    """All metrics of an application and their registry."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Histogram = field(init=False)
    loop_lag: Histogram = field(init=False)
    requests_active: Gauge = field(init=False)
    requests_waiting: Gauge = field(init=False)
    requests_refused: Counter = field(init=False)
    slot_wait: Histogram = field(init=False)
    log_lines_lost: Counter = field(init=False)
    pool: Gauge = field(init=False)
    pool_wait: Histogram = field(init=False)
    statements: Histogram = field(init=False)
    redis: Histogram = field(init=False)
    sends: Histogram = field(init=False)
    up: Gauge = field(init=False)
    requests_throttled: Counter = field(init=False)
    _children: dict[tuple[str, str, int], Histogram] = field(default_factory=dict)
    _tallies: list[Tally] = field(default_factory=list)
    _features: dict[object, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        registry = self.registry
        self.requests = Histogram(
            "http_request_duration_seconds",
            "Time from the arrival of a request to the end of its response, by route template.",
            ("method", "route", "status"),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.loop_lag = Histogram(
            "event_loop_lag_seconds",
            "Event-loop lag: the delay of timer wake-ups.",
            buckets=LAG_BUCKETS_S,
            registry=registry,
        )
        self.requests_throttled = Counter(
            "http_requests_throttled",
            "Requests refused by a rate limit, including logins, by route template.",
            ("route",),
            registry=registry,
        )
        self.requests_active = self.gauge("http_requests_active", "Requests being served.", "livesum")
        self.requests_waiting = self.gauge("http_requests_waiting", "Requests waiting for a slot.", "livesum")
        self.requests_refused = Counter(
            "http_requests_refused", "Requests refused because too many were running and waiting.", registry=registry
        )
        self.slot_wait = Histogram(
            "http_request_wait_seconds",
            "Time that requests waited for a slot, including those that were then refused. Others are not counted.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.log_lines_lost = Counter(
            "log_lines_lost", "Lines of the access log that could not be written.", registry=registry
        )
        self.pool = self.gauge(
            "database_pool_connections", "Connections of the database pools.", "livesum", ("pool", "state")
        )
        self.pool_wait = Histogram(
            "database_pool_wait_seconds",
            "Time that requests waited for a connection of the database pools, including failed waits.",
            ("pool",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.statements = Histogram(
            "database_statement_seconds",
            "Time of the statements and commits of requests, including failed ones.",
            ("pool",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.redis = Histogram(
            "redis_operation_seconds",
            "Time of the Redis commands and pipelines of requests, including failed ones and waits for a connection.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.sends = Histogram(
            "task_send_seconds",
            "Time that requests waited for the broker to accept a message, including failed ones.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.up = self.gauge("dependency_up", "1 if a dependency responds, else 0.", "livemin", ("dependency",))

    def feature(self, kind: Callable[[Metrics], T]) -> T:
        """Return the metrics of a feature in this registry, created on first use: `kind(self)`."""
        if kind not in self._features:
            self._features[kind] = kind(self)
        made: T = self._features[kind]
        return made

    def gauge(self, name: str, text: str, mode: str, labels: tuple[str, ...] = ()) -> Gauge:
        """Return a new gauge. `mode` says how the values of several processes are combined."""
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode=mode)  # type: ignore[arg-type]

    def observe_request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count a finished request."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self.requests.labels(method, route, str(status))
        child.observe(duration_s)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.requests_throttled.labels(route).inc()

    def redis_observer(self) -> Callable[[float], None]:
        """Return a function that counts a Redis operation."""
        return self._observer(self.redis)

    def send_observer(self) -> Callable[[float], None]:
        """Return a function that counts a message to the broker."""
        return self._observer(self.sends)

    def statement_observer(self, pool: str) -> Callable[[float], None]:
        """Return a function that counts a statement on a connection of `pool`."""
        return self._observer(self.statements.labels(pool))

    def _observer(self, histogram: Histogram) -> Callable[[float], None]:
        """Return a function for durations that counts what requests do. Background probes are not counted."""
        tally = Tally(histogram)
        self._tallies.append(tally)

        def observe(duration_s: float) -> None:
            if request_id_var.get():
                tally.observe(duration_s)

        return observe

    def flush(self) -> None:
        """Add the collected durations to the histograms."""
        for tally in self._tallies:
            tally.flush()

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics of all processes of this server as text, and its content type, by the `Accept` header."""
        try:
            encoder, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # an invalid version in the Accept header
            encoder, content_type = choose_encoder("")
        self.flush()
        registry = self.registry
        if multiprocess.VARIABLE in os.environ:
            for pid in multiprocess.processes_gone():
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return encoder(registry), content_type

    def close(self) -> None:
        """Remove the gauges of this process from the sum. Its counters remain."""
        self.flush()
        if multiprocess.VARIABLE in os.environ:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]
