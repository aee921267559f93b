"""Servers of a test's own, which it may stop, freeze and kill."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import redis_server, stop


@dataclass(slots=True)
class OwnRedis:
    """A Redis that only this test uses."""

    folder: Path
    url: str
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    def stop(self) -> None:
        stop(self.process)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    folder = tmp_path / "redis"
    with redis_server(folder) as (url, process):
        yield OwnRedis(folder, url, process)
