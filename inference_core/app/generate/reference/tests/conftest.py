"""Fixtures of all tests: a private Redis, and the application with an empty SQLite database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from inference_core.testing import Api, private_redis, running_api

# Hashing of passwords is cheap, because these tests are not about it.
CHEAP_PASSWORDS = {"argon2_memory_kib": 64, "argon2_time_cost": 1}


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Return the event loop of asynchronous tests."""
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a private Redis."""
    with private_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
async def api(tmp_path: Path, redis_url: str) -> AsyncIterator[Api]:
    """Run the application in the process of the test."""
    own = {"database_url": f"sqlite:///{tmp_path / 'test.db'}", "mail_outbox_dir": tmp_path / "outbox"}
    async with running_api(redis_url=redis_url, **own, **CHEAP_PASSWORDS) as api:
        yield api
