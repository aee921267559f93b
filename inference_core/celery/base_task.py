"""The base of every task: few tries close together, started once, not at all when cancelled before."""

from __future__ import annotations

import time
from itertools import chain, repeat
from typing import Any, cast
from uuid import uuid4

from celery import Task
from celery.exceptions import Ignore
from redis import Redis
from redis.exceptions import RedisError

from inference_core.celery.request import ARGUMENTS, KEYWORDS
from inference_core.celery.submissions import CLAIM_SCRIPT, Claim, task_key
from inference_core.loggers import get_logger

log = get_logger(__name__)

FIRST_WAITS_S = (0.1, 0.2, 0.5, 1.0)
LONGEST_WAIT_S = 2.0


class TaskFailedError(Exception):
    """A task that ended badly for a reason its submitter may read; any other exception's text stays in the logs."""


class ServiceTask(Task):  # type: ignore[misc]  # Celery ships no types
    """A task of this service; bound ones find the settings as `self.app.settings`."""

    Request = "inference_core.celery.request:Request"
    max_retries = 3
    default_retry_delay = 1

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Ask whether to start at all; runs in the process that would execute the task.

        Raises:
            Ignore: if the task was cancelled, or is a copy of one that was started.
        """
        request = self.request
        redelivered = bool((request.delivery_info or {}).get("redelivered"))
        settings = self.app.settings
        # Celery's client, which is connected already, knows no prefix.
        key = settings.key_prefix + task_key(task_id)
        keep_s = settings.celery_result_expires_s
        claim = claim_task(self.backend.client, key, request.retries, redelivered=redelivered, keep_s=keep_s)
        if claim != "run":
            log.info("task_not_started", task=self.name, task_id=task_id, because=claim)
            raise Ignore(claim)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """As Celery's; the message's headers, which monitors show, do not repeat the arguments.

        `expires` and `countdown` in seconds become times of day by Redis' clock: so does what `celery beat` sends.
        """
        if options.get("countdown") or isinstance(options.get("expires"), int | float):
            self.app.ask_redis_time()
        return super().apply_async(args, kwargs, **{"argsrepr": ARGUMENTS, "kwargsrepr": KEYWORDS, **options})

    def retry(self, *args: Any, countdown: float | None = None, **options: Any) -> Any:
        """As Celery's, but sooner where the broker would take a task that waits so long for a lost one."""
        if countdown is not None:
            countdown = min(countdown, self.app.settings.celery_visibility_timeout_s / 2)
        return super().retry(*args, countdown=countdown, **options)


def claim_task(redis: Redis, key: str, retries: int, *, redelivered: bool, keep_s: int) -> Claim:
    """Whether this delivery of the task is the one to run.

    Waits for a store that does not answer or is full, at most until the task's time limit: there is nothing better to
    do, and going on would fail a task that was never tried.
    """
    asker = uuid4().hex
    for wait_s in chain(FIRST_WAITS_S, repeat(LONGEST_WAIT_S)):
        try:
            answer = redis.eval(CLAIM_SCRIPT, 1, key, retries, int(redelivered), asker, keep_s)
            break
        except RedisError as error:
            log.warning("task_waits_for_the_store", key=key, error=type(error).__name__)
            time.sleep(wait_s)
    return cast("Claim", answer.decode() if isinstance(answer, bytes) else answer)
