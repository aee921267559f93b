"""The processes of a worker share the memory of what the worker has imported."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from inference_core.core.queue.sender import TaskSender
from tests.support.processes import keys_of_service, redis_server, wait_until
from tests.support.service import service_env, worker_process
from tests.support.settings import Settings, service

# Without sharing it is more than a half.
MOST_PRIVATE = 0.4


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/smaps_rollup")
def test_a_garbage_collection_does_not_copy_the_memory_of_the_worker(tmp_path: Path) -> None:
    async def send(redis_url: str) -> str:
        async with TaskSender.open(service, Settings(_env_file=None, redis_url=redis_url)) as sender:
            return await sender.send("test.memory")

    with redis_server(tmp_path / "redis") as (redis_url, _):
        # With this variable, the worker has an interpreter of its own; a forked one would have frozen objects already.
        env = service_env(tmp_path, redis_url, PYTHONASYNCIODEBUG="0")
        with worker_process(tmp_path, env, concurrency=1), keys_of_service(redis_url) as redis:
            key = f"celery-task-meta-{asyncio.run(send(redis_url))}"
            wait_until(lambda: redis.exists(key), within_s=60, what="the memory of the process")
            memory = json.loads(redis.get(key))["result"]
    private_kib = memory["Private_Dirty"] + memory["Private_Clean"]
    assert private_kib < MOST_PRIVATE * memory["Rss"]
