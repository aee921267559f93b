"""The age of the oldest waiting message of each queue."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from celery import Celery
from kombu.utils.json import dumps

from inference_core.core.queue.app import create_celery
from inference_core.core.queue.messages import SENT_AT
from inference_core.core.redis.client import open_client
from inference_core.tasks.ages import QueueAges
from tests.support.settings import Settings, service

pytestmark = pytest.mark.anyio

QUEUES = ("default", "mail", "llm_tasks", "old", "false")


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(_env_file=None, redis_url=redis_url, redis_prefix="queue-ages")


@pytest.fixture
def celery(settings: Settings) -> Iterator[Celery]:
    app = create_celery(service, settings, "client")
    yield app
    app.close()


async def test_the_age_is_that_of_the_message_that_is_taken_next(settings: Settings, celery: Celery) -> None:
    async with open_client(settings, settings.redis_url, connections=1) as redis:
        await redis.delete(*QUEUES)
        celery.clock_skew_s = 100.0  # this machine's clock is ahead, so the message seems to be sent 100 s earlier
        celery.send_task("test.first", queue="default")
        celery.clock_skew_s = None
        celery.send_task("test.second", queue="default")
        celery.send_task("test.mail", queue="mail", headers={"baggage": f'"{SENT_AT}": 1, {{"{SENT_AT}": 1}}'})
        await redis.lpush("old", dumps({"body": "", "headers": {"id": "1"}}))
        await redis.lpush("false", dumps({"body": f'"{SENT_AT}": 1}}', "headers": {"id": "1", SENT_AT: "no time"}}))
        ages = await QueueAges(redis).read(QUEUES)
        now, _ = await redis.time()
        await redis.delete(*QUEUES)
    assert 95 < ages["default"] < 200
    assert abs(now - time.time()) < 5
    assert 0 <= ages["mail"] < 60
    assert (ages["llm_tasks"], ages["old"], ages["false"]) == (0, 0, 0)
