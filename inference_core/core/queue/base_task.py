"""The base class of tasks: few retries at short intervals, and no start after a cancellation."""

from __future__ import annotations

import time
from itertools import chain, repeat
from typing import Any, cast
from uuid import uuid4

from celery import Task
from celery.exceptions import Ignore, Reject
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from inference_core.core.loggers import get_logger
from inference_core.core.queue.request import ARGUMENTS, KEYWORDS
from inference_core.core.queue.submissions import SCRIPTS, Claim, task_key
from inference_core.core.redis.scripts import sync_script

log = get_logger(__name__)

FIRST_WAITS_S = (0.1, 0.2, 0.5, 1.0)
LONGEST_WAIT_S = 2.0
BROKER_ERRORS = (OperationalError, RedisError, OSError)


class TaskFailedError(Exception):
    """Raised for a failure whose text is shown to the submitter. The text of any other exception is only logged."""


class ServiceTask(Task):  # type: ignore[misc]  # Celery ships no types
    """A task of this service. Bound tasks have the settings in `self.app.settings`."""

    Request = "inference_core.core.queue.request:Request"
    max_retries = 3
    default_retry_delay = 1

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Check whether to start the task, in the process that would run it.

        Raises:
            Ignore: The task was cancelled, or it is a copy of one that was started.
        """
        request = self.request
        redelivered = bool((request.delivery_info or {}).get("redelivered"))
        settings = self.app.settings
        # Celery's own client is already connected, but does not add the prefix.
        key = settings.key_prefix + task_key(task_id)
        keep_s = settings.celery_result_expires_s
        claim = claim_task(self.backend.client, key, request.retries, redelivered=redelivered, keep_s=keep_s)
        if claim != "run":
            log.info("task_not_started", task=self.name, task_id=task_id, because=claim)
            raise Ignore(claim)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Send the task as Celery does, but without its arguments in the headers, which monitors show.

        `expires` and `countdown` in seconds become absolute times of the clock of Redis. This includes tasks of `celery
        beat`.
        """
        if options.get("countdown") or isinstance(options.get("expires"), int | float):
            self.app.measure_skew_now()
        return super().apply_async(args, kwargs, **{"argsrepr": ARGUMENTS, "kwargsrepr": KEYWORDS, **options})

    def retry(self, *args: Any, countdown: float | None = None, **options: Any) -> Any:
        """Retry as Celery does, but sooner if the broker would deliver the waiting task again.

        If the broker does not respond, wait for it, at most until the time limit of the task. Without the wait, Celery
        would drop the task.
        """
        if countdown is not None:
            countdown = min(countdown, self.app.settings.celery_visibility_timeout_s / 2)
        waits_s = chain(FIRST_WAITS_S, repeat(LONGEST_WAIT_S))
        while True:
            try:
                return super().retry(*args, countdown=countdown, **options)
            except Reject as rejection:
                if not isinstance(rejection.reason, BROKER_ERRORS):
                    raise
                log.warning("task_waits_for_the_broker", task=self.name, error=type(rejection.reason).__name__)
                time.sleep(next(waits_s))


def claim_task(redis: Redis, key: str, retries: int, *, redelivered: bool, keep_s: int) -> Claim:
    """Return whether this delivery of the task is the one to run.

    If Redis does not respond or is full, wait for it, at most until the time limit of the task. Without the wait, the
    task would fail although it was never tried.
    """
    call_id = uuid4().hex
    claim = sync_script(redis, SCRIPTS, "claim_task")
    for wait_s in chain(FIRST_WAITS_S, repeat(LONGEST_WAIT_S)):
        try:
            answer = claim([key], [retries, int(redelivered), call_id, keep_s])
            break
        except RedisError as error:
            log.warning("task_waits_for_the_store", key=key, error=type(error).__name__)
            time.sleep(wait_s)
    return cast("Claim", answer.decode() if isinstance(answer, bytes) else answer)
