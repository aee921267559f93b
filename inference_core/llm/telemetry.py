"""The Prometheus metrics of the LLM endpoints in API processes. Labels come only from the configuration."""

from __future__ import annotations

from inference_core.core.telemetry import multiprocess  # noqa: F401  # isort: skip  # must come before prometheus_client

from prometheus_client import Counter, Gauge, Histogram

from inference_core.core.exceptions import ServiceError
from inference_core.core.telemetry.metrics import Metrics
from inference_core.llm.errors import ProviderError
from inference_core.llm.gateway.breaker import CircuitBreaker
from inference_core.llm.types import Usage

TTFT_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# The origin of an error that no provider has caused.
NO_PROVIDER = "none"


class LLMMetrics:
    """The metrics of streams, times, tokens, costs, errors and circuit breakers."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self._streams = Gauge(
            "llm_streams_active", "Streams being answered.", registry=registry, multiprocess_mode="livesum"
        )
        self._first_token = Histogram(
            "llm_time_to_first_token_seconds",
            "From the arrival of a stream's request to its first token, by model.",
            ("provider", "model"),
            buckets=TTFT_BUCKETS_S,
            registry=registry,
        )
        self._tokens = Counter(
            "llm_tokens",
            "Tokens of streams, including incomplete ones.",
            ("provider", "model", "direction"),
            registry=registry,
        )
        self._cost = Counter(
            "llm_cost_usd",
            "Cost of streams in dollars, by the prices in llm_config.yaml.",
            ("provider", "model"),
            registry=registry,
        )
        self._errors = Counter(
            "llm_errors", "Failed streams by origin and kind of the failure.", ("provider", "kind"), registry=registry
        )
        self._interrupted = Counter(
            "llm_streams_interrupted",
            "Streams that the service ended: client disconnected, slow reader, or shutdown.",
            ("reason",),
            registry=registry,
        )
        self._breaker = Gauge(
            "llm_circuit_breaker_open",
            "1 while the circuit breaker of a provider is open.",
            ("provider",),
            registry=registry,
            multiprocess_mode="livemax",
        )

    def set_active(self, count: int) -> None:
        """Set the number of streams in this process."""
        self._streams.set(count)

    def observe_first_token(self, provider: str, model: str, seconds: float) -> None:
        """Count the start of a stream."""
        self._first_token.labels(provider, model).observe(seconds)

    def count_answer(self, provider: str, model: str, usage: Usage, cost_nano_usd: int) -> None:
        """Count the tokens and the cost of a stream."""
        self._tokens.labels(provider, model, "input").inc(usage.input_tokens)
        self._tokens.labels(provider, model, "output").inc(usage.output_tokens)
        self._cost.labels(provider, model).inc(cost_nano_usd / 1e9)

    def count_error(self, error: ServiceError) -> None:
        """Count a stream that could not start or broke off."""
        provider = error.provider if isinstance(error, ProviderError) else NO_PROVIDER
        self._errors.labels(provider, error.code).inc()

    def count_interruption(self, reason: str) -> None:
        """Count a stream that the service ended."""
        self._interrupted.labels(reason).inc()

    def set_breakers(self, breakers: dict[str, CircuitBreaker]) -> None:
        """Set the open circuit breakers."""
        for name, breaker in breakers.items():
            self._breaker.labels(name).set(breaker.is_open)
