"""Fixtures every test may use: real servers, one set for each parallel test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from inference_core.stack.redis_server import NoRedisServerError, find_redis_server
from tests.support.processes import redis_server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, private to this test process."""
    try:
        find_redis_server()
    except NoRedisServerError as error:
        pytest.skip(str(error))
    with redis_server(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url
