"""Fixtures of all tests: the application with a private Redis, an empty SQLite database and a superuser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from inference_core.testing import Api, private_redis, running_api

PASSWORD = "SecurePass123!"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with private_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
async def api(tmp_path: Path, redis_url: str) -> AsyncIterator[Api]:
    async with running_api(
        redis_url=redis_url,
        database_url=f"sqlite:///{tmp_path / 'test.db'}",
        mail_outbox_dir=tmp_path / "outbox",
        argon2_memory_kib=64,  # hash passwords quickly
        first_superuser_username="admin",
        first_superuser_email="admin@example.com",
        first_superuser_password=PASSWORD,
        products_max=3,
    ) as api:
        yield api


@pytest.fixture
async def admin(api: Api) -> dict[str, str]:
    """The headers of a superuser, who has every permission."""
    login = {"username": "admin", "password": PASSWORD}
    tokens = (await api.client.post("/api/v1/auth/login", json=login)).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}
