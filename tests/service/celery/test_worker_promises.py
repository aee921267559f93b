"""What a worker refuses to run as, and what it tells of its tasks."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from inference_core.core.queue.app import create_celery
from inference_core.core.queue.sender import TaskSender
from inference_core.core.redis.client import broker_client
from tests.support.processes import redis_server, wait_until
from tests.support.service import ROOT, service_env, worker_process
from tests.support.settings import Settings, service

SECRET = "what-nobody-may-read"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.mark.parametrize(
    "pool", ["solo", *(pytest.param(name, marks=pytest.mark.full) for name in ("threads", "gevent"))]
)
def test_a_pool_that_cannot_keep_the_promises_ends_the_start_in_one_line(pool: str, redis: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "celery", "-A", "inference_core.celery.celery_main:celery_app", "worker"]
    ended = subprocess.run(
        [*command, f"--pool={pool}", "--queues=default"],
        env=service_env(tmp_path, redis),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 1
    line = ended.stderr.strip().splitlines()[-1]
    assert line.startswith(f"worker: the pool '{pool.removesuffix('s')}' cannot stop a task at its time limit")
    assert "--pool=prefork" in line
    assert "Traceback" not in ended.stderr


@pytest.mark.full
def test_neither_remote_control_nor_events_nor_logs_show_arguments(redis: str, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, redis_url=redis)
    release, notes = tmp_path / SECRET, tmp_path / "notes"
    inspect = create_celery(service, settings, "worker").control.inspect(timeout=3)

    async def send(task: str, *arguments: str, task_id: str, **keywords: str) -> None:
        async with TaskSender.open(service, settings) as sender:
            await sender.send(task, *arguments, task_id=task_id, **keywords)

    with (
        Redis.from_url(redis) as events,
        events.pubsub() as listener,
        worker_process(tmp_path, service_env(tmp_path, redis), "w1", "--task-events", concurrency=1) as worker,
    ):
        listener.psubscribe("*celeryev*")
        asyncio.run(send("test.later", str(notes), task_id="scheduled", again=SECRET))
        wait_until(lambda: "scheduled" in json.dumps(inspect.scheduled()), within_s=60, what="its second try")
        with broker_client(settings) as broker:
            headers = [json.loads(raw)[0]["headers"] for raw in broker.hvals("unacked")]
        assert [(sent["id"], sent["retries"]) for sent in headers] == [("scheduled", 1)]
        assert SECRET not in json.dumps(headers)
        asyncio.run(send("test.held", str(release), str(notes), task_id="active"))
        wait_until(lambda: "start" in notes.read_text(), within_s=60)
        told = [inspect.active(), inspect.reserved(), inspect.scheduled(), inspect.query_task("active", "scheduled")]
        assert "active" in json.dumps(told[0])
        assert "scheduled" in json.dumps(told[2])
        assert SECRET not in json.dumps(told)
        release.touch()
        wait_until(lambda: "succeeded" in worker.log.read_text(), within_s=60)
        heard = b""
        while message := listener.get_message(timeout=0.2):
            if message["type"] == "pmessage":
                heard += b64decode(json.loads(message["data"])["body"])
        assert b"task-succeeded" in heard
        assert b"task-received" in heard
        assert SECRET.encode() not in heard
        assert SECRET not in worker.log.read_text()
