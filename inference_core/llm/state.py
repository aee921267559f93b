"""The state of the LLM endpoints in one process: the gateway, the streams and the limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from inference_core.core.background import run_until_cancelled
from inference_core.core.health import Component
from inference_core.core.state import AppState
from inference_core.llm.accounting.limits import UserLimits
from inference_core.llm.gateway.gateway import Gateway
from inference_core.llm.service import LLMService
from inference_core.llm.settings import LLMSettings
from inference_core.llm.streaming.streams import ActiveStream, Streams
from inference_core.llm.telemetry import LLMMetrics
from inference_core.tasks.state import TasksState

SETTLE_AGAIN_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class LLMState:
    """The objects that live longer than a request."""

    service: LLMService
    streams: Streams
    metrics: LLMMetrics
    gateway: Gateway

    @contextmanager
    def place(self, *, anonymous: bool) -> Iterator[ActiveStream]:
        """Add a stream for the duration of the context, and update the metrics.

        Raises:
            OverloadedError: There are too many streams.
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


@asynccontextmanager
async def open_llm(app: AppState) -> AsyncIterator[LLMState]:
    """Open the gateway and the streams. The timer of the streams stops with the context."""
    settings = app.settings.of(LLMSettings)
    tasks = app.of(TasksState)
    async with Gateway.open(settings) as gateway:
        limits = gateway.config.settings.limits
        metrics = app.metrics.feature(LLMMetrics)
        service = LLMService(
            settings=settings,
            database=app.database,
            gateway=gateway,
            limits=UserLimits(app.redis.client, limits),
            tasks=tasks.service,
            workers=tasks.workers,
            metrics=metrics,
        )
        tasks.service.when_cancelled.append(service.task_cancelled)
        async with Streams.open(
            app.traffic,
            limit=limits.concurrent_streams,
            anonymous_limit=max(1, int(limits.concurrent_streams * limits.anonymous_share)),
            ping_every_s=settings.llm_ping_s,
            stall_after_s=settings.llm_slow_reader_s,
            shutdown_s=settings.effective_shutdown_drain_s + settings.shutdown_grace_s,
        ) as streams:
            state = LLMState(service, streams, metrics, gateway)
            app.gauges.append(lambda: metrics.set_breakers(gateway.breakers))
            async with run_until_cancelled(state.settle_again, every_s=SETTLE_AGAIN_EVERY_S, name="llm_unsettled"):
                yield state


async def llm_component(app: AppState) -> Component:
    """Return the state of the LLM endpoints for the health routes."""
    health = app.of(LLMState).service.health()
    return Component(health.status, datetime.now(UTC), health.message)
