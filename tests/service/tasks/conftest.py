"""One API and one worker for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import ApiProcess, api_process, service_env, worker_process


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def api(folder: Path, redis_url: str) -> Iterator[ApiProcess]:
    env = service_env(folder, redis_url)
    with worker_process(folder, env), api_process(folder, env) as api:
        yield api
