"""The state of the LLM endpoints in one process: the gateway, the streams and the limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from inference_core.core.background import run_until_cancelled
from inference_core.core.db.engine import Database
from inference_core.core.redis.client import RedisClient
from inference_core.core.settings import Settings
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.traffic import Traffic
from inference_core.health.components import Component, Status
from inference_core.llm.gateway import Gateway
from inference_core.llm.limits import UserLimits
from inference_core.llm.service import LLMService
from inference_core.llm.streams import ActiveStream, Streams
from inference_core.llm.telemetry import LLMMetrics
from inference_core.tasks.monitor import WorkerMonitor
from inference_core.tasks.service import TaskService

BREAKERS_EVERY_S = 1.0
SETTLE_AGAIN_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class LLMState:
    """The objects that live longer than a request."""

    service: LLMService
    streams: Streams
    metrics: LLMMetrics
    gateway: Gateway

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        gateway: Gateway,
        *,
        database: Database,
        redis: RedisClient,
        tasks: TaskService,
        workers: WorkerMonitor,
        traffic: Traffic,
        metrics: Metrics,
    ) -> AsyncIterator[LLMState]:
        """Create the state. The timer of the streams stops with the context."""
        limits = gateway.config.settings.limits
        own = metrics.feature(LLMMetrics)
        service = LLMService(
            settings=settings,
            database=database,
            gateway=gateway,
            limits=UserLimits(redis.client, limits),
            tasks=tasks,
            workers=workers,
            metrics=own,
        )
        tasks.when_cancelled.append(service.task_cancelled)
        shutdown_s = settings.effective_shutdown_drain_s + settings.shutdown_grace_s
        async with Streams.open(
            traffic,
            limit=limits.concurrent_streams,
            anonymous_limit=max(1, int(limits.concurrent_streams * limits.anonymous_share)),
            ping_every_s=settings.llm_ping_s,
            stall_after_s=settings.llm_slow_reader_s,
            shutdown_s=shutdown_s,
        ) as streams:
            state = cls(service, streams, own, gateway)
            await state.look_at_breakers()
            async with (
                run_until_cancelled(state.look_at_breakers, every_s=BREAKERS_EVERY_S, name="llm_breakers"),
                run_until_cancelled(state.settle_again, every_s=SETTLE_AGAIN_EVERY_S, name="llm_unsettled"),
            ):
                yield state

    @contextmanager
    def place(self, *, anonymous: bool) -> Iterator[ActiveStream]:
        """The place of one stream, which the metrics know of.

        Raises:
            OverloadedError: if there are too many.
        """
        try:
            with self.streams.place(anonymous=anonymous) as stream:
                self.metrics.set_active(len(self.streams.active))
                try:
                    yield stream
                finally:
                    if stream.interrupted is not None:
                        self.metrics.count_interruption(stream.interrupted)
        finally:
            self.metrics.set_active(len(self.streams.active))

    async def settle_again(self) -> None:
        """Retry the ends of requests that Redis has not accepted."""
        await self.service.limits.settle_again()

    async def look_at_breakers(self) -> None:
        """Update the metrics of the circuit breakers."""
        self.metrics.set_breakers(self.gateway.breakers)


def llm_component(gateway: Gateway) -> Component:
    """Return the state of the LLM endpoints for the health routes."""
    status, message = gateway_status(gateway)
    return Component(status, datetime.now(UTC), message)


def gateway_status(gateway: Gateway) -> tuple[Status, str | None]:
    """Return the status, and a sentence if it is not healthy."""
    available = gateway.availability()
    if not gateway.config.models and not gateway.access.may_stand_in:
        return "not_configured", "No language model is configured."
    if not any(available.values()) and not gateway.access.may_stand_in:
        keyless = not any(gateway.access.may_call(name, config) for name, config in gateway.config.providers.items())
        if keyless:
            return "not_configured", "No LLM provider is configured."
        return "unhealthy", "No LLM provider responds."
    broken = sorted(name for name, breaker in gateway.breakers.items() if breaker.is_open)
    if broken:
        return "degraded", f"Circuit breaker open: {', '.join(broken)}."
    return "healthy", None
