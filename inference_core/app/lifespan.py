"""Start and stop one process: open the resources of the service and its features, and close them in reverse order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypedDict

from fastapi import FastAPI

from inference_core.app.edge.connections import guard_connections
from inference_core.app.edge.drain import drain_on_sigterm
from inference_core.app.edge.forwarded import leave_forwarding_to_the_service
from inference_core.app.edge.middleware import Edge
from inference_core.app.metrics_watch import keep_metrics
from inference_core.core.db.engine import Database
from inference_core.core.db.migrations.at_start import ensure_schema
from inference_core.core.feature import Service
from inference_core.core.loggers import get_logger
from inference_core.core.queue.sender import TaskSender
from inference_core.core.redis.client import RedisClient
from inference_core.core.redis.cluster import refuse_cluster
from inference_core.core.settings import Settings
from inference_core.core.state import AppState
from inference_core.core.telemetry.reporting import flush_reporting

log = get_logger(__name__)

# The features together have this time to close, and each one has at least the shorter time.
CLOSE_WITHIN_S = 4.0
CLOSE_AT_LEAST_S = 0.2


class LifespanState(TypedDict):
    """The values that Starlette copies into `request.state`."""

    app: AppState


def lifespan_for(
    service: Service, settings: Settings, edge: Edge
) -> Callable[[FastAPI], AbstractAsyncContextManager[LifespanState]]:
    """Return the lifespan of an application with these settings."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[LifespanState]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, flush_reporting)
            # Otherwise the first request for the document would create it and block the event loop.
            await asyncio.to_thread(app.openapi)
            state = await _open_state(stack, service, settings, edge)
            await stack.enter_async_context(keep_metrics(state))
            stack.callback(edge.access_log.flush)
            leave_forwarding_to_the_service()
            await stack.enter_async_context(guard_connections(edge.metrics, settings))
            drain_s = settings.effective_shutdown_drain_s
            stack.enter_context(drain_on_sigterm(edge.traffic, drain_s=drain_s, grace_s=settings.shutdown_grace_s))
            # The existing objects are permanent, so the garbage collector does not need to scan them repeatedly.
            gc.collect()
            gc.freeze()
            yield {"app": state}

    return lifespan


@dataclass(slots=True)
class Closing:
    """The time at which all features must be closed (loop clock). It is None before the first one is closed."""

    deadline_s: float | None = None

    @asynccontextmanager
    async def bounded(self, name: str, lifespan: AbstractAsyncContextManager[object]) -> AsyncIterator[object]:
        """Enter the lifespan of a feature. At the end, log that it fails or hangs, so that the others are closed."""
        part = await lifespan.__aenter__()
        try:
            yield part
        finally:
            now_s = asyncio.get_running_loop().time()
            self.deadline_s = self.deadline_s or now_s + CLOSE_WITHIN_S
            try:
                async with asyncio.timeout_at(max(self.deadline_s, now_s + CLOSE_AT_LEAST_S)):
                    await lifespan.__aexit__(None, None, None)
            except Exception as error:
                log.exception("feature_not_closed", feature=name, error=type(error).__name__)


async def _open_state(stack: AsyncExitStack, service: Service, settings: Settings, edge: Edge) -> AppState:
    """Open the resources of the process and the features. The stack closes them in reverse order."""
    await asyncio.to_thread(refuse_cluster, settings)
    database = await stack.enter_async_context(Database.open(settings))
    await ensure_schema(service, settings, database)
    state = AppState(
        service=service,
        settings=settings,
        database=database,
        redis=await stack.enter_async_context(RedisClient.open(settings, edge.metrics.redis_observer())),
        sender=await stack.enter_async_context(TaskSender.open(service, settings, edge.metrics.send_observer())),
        metrics=edge.metrics,
        traffic=edge.traffic,
    )
    closing = Closing()
    for feature in service.start_order:
        if feature.lifespan:
            part = await stack.enter_async_context(closing.bounded(feature.name, feature.load("lifespan")(state)))
            if part is not None:
                state.add(part)
    for prepare in state.when_ready:
        await prepare()
    return state
