"""Create Celery applications from the settings: one for workers, and one for API processes, which only send."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from inference_core.core.feature import Service
from inference_core.core.queue import transport
from inference_core.core.queue.base_task import ServiceTask
from inference_core.core.queue.config import celery_config
from inference_core.core.queue.incarnation import Incarnation
from inference_core.core.queue.messages import SENT_AT
from inference_core.core.redis.client import broker_client
from inference_core.core.settings import Settings

Role = Literal["worker", "client"]

# Celery imports the result store by its name.
RESULTS = "inference_core.core.queue.results:Results"


class ServiceCelery(Celery):  # type: ignore[misc]  # Celery ships no types
    """A Celery application with the settings of the service and the clock skew of its machine.

    `clock_skew_s` is positive if the machine's clock is ahead of the clock of Redis, and None until it is measured.
    """

    service: Service
    settings: Settings
    # Celery would warn on stderr where DJANGO_SETTINGS_MODULE is set for another program.
    builtin_fixups: frozenset[str] = frozenset()
    clock_skew_s: float | None = None
    # The identity of the worker process. None in other processes.
    incarnation: Incarnation | None = None

    def __init__(self, service: Service, settings: Settings, **options: Any) -> None:
        super().__init__(service.name, task_cls=ServiceTask, **options)
        self.service = service
        self.settings = settings

    def measure_skew(self, redis_time: Sequence[Any]) -> float:
        """Compare this machine's clock with a reply to `TIME` (seconds, microseconds) that has just arrived."""
        seconds, microseconds = redis_time
        self.clock_skew_s = time.time() - int(seconds) - int(microseconds) / 1e6
        return self.clock_skew_s

    def measure_skew_now(self) -> None:
        """Measure the skew with a call of the broker. It is unchanged if the broker does not respond."""
        with suppress(RedisError):
            self.measure_skew(self._redis.time())

    def send_task(self, name: str, *args: Any, **options: Any) -> Any:
        """Send a task with the time in a header. Celery calls it for all tasks, also for retries and the schedule."""
        now_s = time.time() - (self.clock_skew_s or 0.0)
        headers = {**(options.get("headers") or {}), SENT_AT: round(now_s, 3)}
        return super().send_task(name, *args, **options | {"headers": headers})

    @cached_property
    def _redis(self) -> Redis:
        # A client for each measurement would leave reference cycles (74 objects with redis-py 8.1).
        return broker_client(self.settings)

    def now(self) -> datetime:
        """Return the time of the clock of Redis, if it is known. Celery computes `expires` and `eta` from it."""
        now: datetime = super().now()
        return now - timedelta(seconds=self.clock_skew_s or 0.0)


def create_celery(service: Service, settings: Settings, role: Role) -> ServiceCelery:
    """Create a Celery application.

    Args:
        service: Its features have the queues, the schedule and the tasks.
        settings: URLs and limits.
        role: A `worker` waits for its broker. A `client` only sends, within the Redis timeouts of
            the service.
    """
    transport.install()
    app = ServiceCelery(service, settings, set_as_current=role == "worker")
    app.loader.override_backends = dict.fromkeys(("redis", "rediss", "sentinel"), RESULTS)
    app.conf.update(celery_config(service, settings, is_worker=role == "worker"))
    if role == "client":
        # With a result backend, every sent message would also subscribe to its result. The API reads results itself.
        app.backend_cls = "disabled"
    return app
