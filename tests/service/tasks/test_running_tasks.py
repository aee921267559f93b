"""The numbers by which workers are scaled: waiting and running tasks of each queue."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest
from kombu.utils.json import dumps

from inference_core.core.redis.client import open_client
from inference_core.tasks.running import TAKEN_KEY, RunningTasks
from tests.support.processes import wait_until
from tests.support.service import PREFIX, api_process, service_env, worker_process
from tests.support.settings import Settings

pytestmark = pytest.mark.anyio


async def test_taken_messages_are_counted_by_queue_and_a_gap_of_one_reading_is_none(redis_url: str) -> None:
    settings = Settings(_env_file=None, redis_url=redis_url, redis_prefix="running-tasks")
    async with open_client(settings, redis_url, connections=1) as redis:
        await redis.delete(TAKEN_KEY)
        long = {"body": '"]' * 1000, "headers": {"id": "1"}}
        await redis.hset(TAKEN_KEY, mapping={"a": dumps([long, "", "default"]), "b": dumps([long, "", "mail"])})
        await redis.hset(TAKEN_KEY, "c", "no message")
        running = RunningTasks(redis)
        waiting = {"default": 2, "mail": 0, "llm_tasks": 0}
        assert await running.count([b"a", b"b", b"c", b"gone"], waiting) == {"default": 1, "mail": 1, "llm_tasks": 0}
        # A worker of an older version has taken a message, and not yet recorded it.
        assert await running.count([b"a"], waiting | {"default": 1}) == {"default": 2, "mail": 1, "llm_tasks": 0}
        assert await running.count([b"a"], waiting | {"default": 1}) == {"default": 1, "mail": 0, "llm_tasks": 0}
        await redis.delete(TAKEN_KEY)


@pytest.mark.full
def test_the_sum_is_never_zero_while_a_task_runs_or_is_reserved(tmp_path: Path, redis_url: str) -> None:
    env = service_env(tmp_path, redis_url, REDIS_PREFIX="scaled")
    release, notes = tmp_path / "release", tmp_path / "notes"
    with worker_process(tmp_path, env, concurrency=1), api_process(tmp_path, env) as api, api.client() as client:
        submit(client, "test.held", str(release), str(notes))
        submit(client, "test.held", str(release), str(notes))
        # The worker has one process, so one task runs and one waits.
        wait_until(lambda: numbers(client) == (1, 1), what="both tasks counted")
        assert [sum(numbers(client)) for _ in range(20)] == [2] * 20
        # The worker keeps this task for ten seconds until its second try.
        task_id = submit(client, "test.soon", str(notes))
        release.touch()
        while not has_ended(client, task_id):
            seen = sum(numbers(client))
            assert seen >= 1 or has_ended(client, task_id)
        assert "try 1" in notes.read_text()
        wait_until(lambda: numbers(client) == (0, 0), what="no task left")


def submit(client: httpx2.Client, task: str, *arguments: str) -> str:
    answer = client.post(f"{PREFIX}/test/submit", json={"task": task, "args": arguments})
    return str(answer.json()["task_id"])


def has_ended(client: httpx2.Client, task_id: str) -> bool:
    return bool(client.get(f"{PREFIX}/tasks/{task_id}/status").json()["status"] == "SUCCESS")


def numbers(client: httpx2.Client) -> tuple[int, int]:
    """The waiting and the running tasks of the queue."""
    text = client.get("/metrics").text
    names = ("celery_queue_depth", "celery_tasks_running")
    found = [re.search(rf'^{name}{{queue="default"}} (\S+)$', text, re.MULTILINE) for name in names]
    waiting, running = (int(float(match[1])) if match else 0 for match in found)
    return waiting, running
