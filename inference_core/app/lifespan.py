"""Start and stop one process: open the resources of `AppState`, and close them in reverse order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypedDict

from fastapi import FastAPI

from inference_core.app.edge.connections import guard_connections
from inference_core.app.edge.drain import drain_on_sigterm
from inference_core.app.edge.middleware import Edge
from inference_core.app.metrics_watch import keep_metrics
from inference_core.auth.state import AuthState
from inference_core.core.db.engine import Database
from inference_core.core.db.ensure_schema import ensure_schema
from inference_core.core.queue.sender import TaskSender
from inference_core.core.redis.client import RedisClient
from inference_core.core.settings import Settings
from inference_core.core.state import AppState
from inference_core.core.telemetry.reporting import flush_reporting
from inference_core.health.watch import HealthWatch
from inference_core.llm.config.schema import LLMConfig
from inference_core.llm.gateway import Gateway
from inference_core.llm.state import LLMState, llm_component
from inference_core.tasks.monitor import WorkerMonitor
from inference_core.tasks.service import TaskService
from inference_core.tasks.store import ResultStore


class LifespanState(TypedDict):
    """The values that Starlette copies into `request.state`."""

    app: AppState


def lifespan_for(
    settings: Settings, edge: Edge, llm_config: LLMConfig
) -> Callable[[FastAPI], AbstractAsyncContextManager[LifespanState]]:
    """Return the lifespan of an application with these settings."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[LifespanState]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, flush_reporting)
            # Otherwise the first request for the document would create it and block the event loop.
            await asyncio.to_thread(app.openapi)
            state = await _open_state(stack, settings, edge, llm_config)
            await stack.enter_async_context(keep_metrics(edge.metrics, edge.traffic, state.database, state.health))
            stack.callback(edge.access_log.flush)
            await stack.enter_async_context(
                guard_connections(edge.metrics, settings.max_connections_per_address, settings.llm_slow_reader_s)
            )
            drain_s = settings.effective_shutdown_drain_s
            stack.enter_context(drain_on_sigterm(edge.traffic, drain_s=drain_s, grace_s=settings.shutdown_grace_s))
            # The existing objects are permanent, so the garbage collector does not need to scan them repeatedly.
            gc.collect()
            gc.freeze()
            yield {"app": state}

    return lifespan


async def _open_state(stack: AsyncExitStack, settings: Settings, edge: Edge, llm_config: LLMConfig) -> AppState:
    """Open the resources of the process. The stack closes them in reverse order."""
    database = await stack.enter_async_context(Database.open(settings))
    await ensure_schema(settings, database)
    redis = await stack.enter_async_context(RedisClient.open(settings))
    auth = stack.enter_context(AuthState.open(settings, redis.client))
    tasks = await stack.enter_async_context(TaskSender.open(settings))
    results = await stack.enter_async_context(ResultStore.open(settings))
    workers = await stack.enter_async_context(WorkerMonitor.open(settings))
    gateway = await stack.enter_async_context(Gateway.open(settings, llm_config))
    health = await stack.enter_async_context(
        HealthWatch.open(settings, redis, workers, edge.traffic, partial(llm_component, gateway))
    )
    task_service = TaskService(tasks, results, edge.traffic)
    llm = await stack.enter_async_context(
        LLMState.open(
            settings,
            gateway,
            database=database,
            redis=redis,
            tasks=task_service,
            workers=workers,
            traffic=edge.traffic,
            metrics=edge.metrics,
        )
    )
    return AppState(
        settings=settings,
        database=database,
        redis=redis,
        auth=auth,
        tasks=tasks,
        task_service=task_service,
        workers=workers,
        health=health,
        metrics=edge.metrics,
        llm=llm,
    )
