"""Send tasks from the API. Celery publishes in separate threads, and the event loop waits for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from uuid import uuid4

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.feature import Service
from inference_core.core.loggers import get_logger
from inference_core.core.queue.app import ServiceCelery, create_celery
from inference_core.core.queue.logs import id_headers
from inference_core.core.queue.request import ARGUMENTS, KEYWORDS
from inference_core.core.queue.tracing import trace_headers
from inference_core.core.settings import Settings

log = get_logger(__name__)

PUBLISHER_THREADS = 4
PUBLISH_TIMEOUT_S = 1.5
# With more messages waiting for a thread, the broker is too slow, and an immediate error is better.
MAX_WAITING = 200


class BrokerUnavailableError(DependencyUnavailableError):
    """Raised if the task queue is not available. Retry after `retry_after_s` seconds."""

    code = "broker_unavailable"
    detail = "The task queue is not available. Try again shortly."


class QueueFullError(BrokerUnavailableError):
    """Raised if too many messages wait in the task queue."""

    code = "queue_full"
    retry_after_s = 30


@dataclass(slots=True)
class TaskSender:
    """A publisher of tasks that does not block the event loop."""

    celery: ServiceCelery
    executor: ThreadPoolExecutor
    on_sent: Callable[[float], None]
    waiting: int = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, service: Service, settings: Settings, on_sent: Callable[[float], None] = lambda _: None
    ) -> AsyncIterator[TaskSender]:
        """Create the sender, which connects on first use. Its threads and connections end with the context.

        `on_sent` is called with the seconds of each message, including failed ones and the wait for a thread.
        """
        executor = ThreadPoolExecutor(PUBLISHER_THREADS, thread_name_prefix="publish")
        celery = create_celery(service, settings, "client")
        try:
            yield cls(celery, executor, on_sent)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(celery.close)

    async def send(
        self,
        name: str,
        *args: Any,
        queue: str | None = None,
        task_id: str | None = None,
        expires_s: float | None = None,
        waiting_max: int | None = None,
        **kwargs: Any,
    ) -> str:
        """Send a task and return its id.

        If this raises, the message may still have been sent. Sending it again with the same `task_id` is safe, because
        workers run a task once for each id.

        Args:
            name: The name of the task.
            args: Its arguments, as JSON values.
            queue: The queue. The default depends on the name.
            task_id: The id; the default is a new one.
            expires_s: The task does not start later than this.
            waiting_max: Send the task only if fewer messages wait in its queue.
            kwargs: Its keyword arguments, as JSON values.

        Raises:
            BrokerUnavailableError: The broker did not accept the message within `PUBLISH_TIMEOUT_S`.
            QueueFullError: `waiting_max` messages wait.
        """
        task_id = task_id or str(uuid4())
        options = {"task_id": task_id, "headers": {**trace_headers(), **id_headers()}, "expires": expires_s}
        if queue:
            options["queue"] = queue

        def publish() -> None:
            if waiting_max is not None:
                self._require_room(name, waiting_max)
            self._publish(name, args, kwargs, options)

        await self._in_thread(publish, task=name, task_id=task_id)
        return task_id

    async def stop(self, task_id: str) -> None:
        """Tell the workers to stop a running task. Its result shows whether one has stopped it.

        Raises:
            BrokerUnavailableError: The broker did not accept the message within `PUBLISH_TIMEOUT_S`.
        """
        await self._in_thread(
            lambda: self.celery.control.revoke(task_id, terminate=True, signal="SIGTERM", reply=False),
            task="revoke",
            task_id=task_id,
        )

    async def _in_thread(self, action: Callable[[], object], *, task: str, task_id: str) -> None:
        if self.waiting >= MAX_WAITING:
            raise BrokerUnavailableError
        self.waiting += 1
        start_s = perf_counter()
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await asyncio.get_running_loop().run_in_executor(self.executor, action)
        except (TimeoutError, KombuError, CeleryError, RedisError, OSError) as error:
            log.warning("message_not_sent", task=task, task_id=task_id, error=type(error).__name__)
            raise BrokerUnavailableError from error
        finally:
            self.waiting -= 1
            self.on_sent(perf_counter() - start_s)

    def _require_room(self, name: str, waiting_max: int) -> None:
        queue = self.celery.amqp.router.route({}, name)["queue"].name
        with self.celery.producer_pool.acquire(block=True) as producer:
            waiting = producer.channel.queue_declare(queue).message_count
        if waiting >= waiting_max:
            log.warning("queue_full", queue=queue, waiting=waiting)
            raise QueueFullError

    def _publish(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], options: dict[str, Any]) -> None:
        # The headers, which workers log and monitors show, must not contain the arguments.
        hidden = {"argsrepr": ARGUMENTS, "kwargsrepr": KEYWORDS}
        self.celery.send_task(name, args, kwargs, ignore_result=False, **hidden, **options)
