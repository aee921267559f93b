"""The base of every task: few tries close together, started once, not at all when cancelled before."""

from __future__ import annotations

from typing import Any, cast

import structlog
from celery import Task
from celery.exceptions import Ignore
from redis import Redis

from inference_core.celery.submissions import CLAIM_SCRIPT, Claim, task_key

log = structlog.get_logger(__name__)


class TaskFailedError(Exception):
    """A task that ended badly for a reason its submitter may read; any other exception's text stays in the logs."""


class ServiceTask(Task):  # type: ignore[misc]  # Celery ships no types
    """A task of this service; bound ones find the settings as `self.app.settings`."""

    max_retries = 3
    default_retry_delay = 1

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:  # noqa: ARG002  # Celery's signature
        """Ask whether to start at all; runs in the process that would execute the task.

        Raises:
            Ignore: if the task was cancelled, or is a copy of one that was started.
        """
        request = self.request
        redelivered = bool((request.delivery_info or {}).get("redelivered"))
        claim = claim_task(self.backend.client, task_id, request.retries, redelivered=redelivered)
        if claim != "run":
            log.info("task_not_started", task=self.name, task_id=task_id, because=claim)
            raise Ignore(claim)


def claim_task(redis: Redis, task_id: str, retries: int, *, redelivered: bool) -> Claim:
    """Whether this delivery of the task is the one to run."""
    answer = redis.eval(CLAIM_SCRIPT, 1, task_key(task_id), retries, int(redelivered))
    return cast("Claim", answer.decode() if isinstance(answer, bytes) else answer)
