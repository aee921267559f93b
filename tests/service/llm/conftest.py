"""A server of the application in the test's own event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tests.service.conftest import sqlite_threads_end
from tests.support.llm import LLMServer, llm_server
from tests.support.processes import keys_of_service
from tests.support.settings import Settings

ServerFactory = Callable[..., AbstractAsyncContextManager[LLMServer]]


@pytest.fixture(autouse=True)
def fresh_counts(redis_url: str) -> None:
    """Callers without an account share their limits by address, and every test has the same."""
    with keys_of_service(redis_url) as redis:
        for key in redis.scan_iter("llm:*"):
            redis.delete(key)


@pytest.fixture
def start_server(service_settings: Callable[..., Settings]) -> ServerFactory:
    """Starts servers with settings of the test's choice."""

    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[LLMServer]:
        async with llm_server(service_settings(**changes)) as server:
            yield server
        await sqlite_threads_end()

    return start
