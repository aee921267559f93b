"""Use a Redis in all ways in which the service does: as the API, as the broker and as the store of results."""

from __future__ import annotations

import asyncio

from inference_core.core.queue.app import create_celery
from inference_core.core.queue.sender import TaskSender
from inference_core.core.redis.client import open_client
from tests.support.settings import Settings, service


async def use_everywhere(settings: Settings) -> set[str]:
    """Write a key as the API and one as the store of results, and send a task, which must be in its queue.

    Return the keys.
    """
    async with open_client(settings, settings.redis_url) as client, TaskSender.open(service, settings) as sender:
        await client.set("one", "1")
        await sender.send("any.task")
    worker = create_celery(service, settings, "worker")
    await asyncio.to_thread(worker.backend.client.set, settings.key_prefix + "two", "2")
    with worker.connection_for_read() as connection:
        sizes = await asyncio.to_thread(lambda: connection.default_channel.queue_declare("default", passive=False))
    assert sizes.message_count == 1
    return {settings.key_prefix + name for name in ("one", "two")}
