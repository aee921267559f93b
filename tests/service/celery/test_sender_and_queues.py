"""Where tasks go, what a worker consumes, and that sending never holds the event loop."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64decode
from pathlib import Path

import pytest

from inference_core.app.stack.ports import free_port
from inference_core.core.queue.app import create_celery
from inference_core.core.queue.sender import BrokerUnavailableError, TaskSender
from tests.support.processes import keys_of_service, redis_server
from tests.support.settings import Settings, service

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("task", "dedicated", "queue"),
    [
        ("mail.password_reset", True, "mail"),
        ("llm.complete", True, "llm_tasks"),
        ("maintenance.purge_expired", True, "default"),
        ("mail.password_reset", False, "default"),
        ("llm.complete", False, "default"),
        ("mailing.list", True, "default"),
    ],
)
async def test_message_goes_to_the_queue_of_its_task(task: str, dedicated: bool, queue: str, tmp_path: Path) -> None:
    with redis_server(tmp_path) as (url, _), keys_of_service(url) as redis:
        settings = Settings(_env_file=None, redis_url=url, celery_dedicated_queues=dedicated)
        async with TaskSender.open(service, settings) as sender:
            task_id = await sender.send(task, "secret", key="word")
        assert {name: redis.llen(name) for name in service.queues} == {
            name: int(name == queue) for name in service.queues
        }
        message = json.loads(redis.lindex(queue, 0))
    assert message["headers"]["id"] == task_id
    assert json.loads(b64decode(message["body"]))[:2] == [["secret"], {"key": "word"}]
    assert "secret" not in json.dumps(message["headers"])


async def test_queue_and_task_id_may_be_given(redis_url: str) -> None:
    async with TaskSender.open(service, Settings(_env_file=None, redis_url=redis_url)) as sender:
        assert await sender.send("any.task", queue="llm_tasks", task_id="given") == "given"
    with keys_of_service(redis_url) as redis:
        assert json.loads(redis.lpop("llm_tasks"))["headers"]["id"] == "given"


async def test_sending_to_nowhere_fails_soon_and_leaves_the_loop_free() -> None:
    settings = Settings(_env_file=None, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    turns = 0

    async def spin() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)  # a refused connection takes less than any pause
            turns += 1

    async with TaskSender.open(service, settings) as sender:
        spinning = asyncio.create_task(spin())
        start_s = time.monotonic()
        with pytest.raises(BrokerUnavailableError):
            await sender.send("any.task")
        assert time.monotonic() - start_s < 2
        spinning.cancel()
    assert turns > 0


async def test_client_tracks_no_results_and_a_worker_keeps_its_promises() -> None:
    settings = Settings(_env_file=None)
    assert create_celery(service, settings, "client").backend.__class__.__name__ == "DisabledBackend"
    conf = create_celery(service, settings, "worker").conf
    assert conf.task_time_limit < conf.broker_transport_options["visibility_timeout"]
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier) == (True, True, 1)
    assert conf.accept_content == ["json"]
