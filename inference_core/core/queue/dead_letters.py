"""The dead letter queue: a bounded list of tasks and messages that no worker can process."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from celery import signals
from celery.exceptions import WorkerLostError
from redis.exceptions import RedisError

from inference_core.core.queue.app import ServiceCelery
from inference_core.core.queue.worker_state import DEAD_LETTERS_KEY
from inference_core.core.redis.client import broker_client
from inference_core.core.settings import Settings

log = logging.getLogger(__name__)

# Enough entries to see a pattern. At most 16 MB, so that the list does not fill the broker.
KEEP = 1000
KEEP_CHARACTERS = 16_000


def keep_dead_letter(settings: Settings, reason: str, **details: Any) -> None:
    """Add an entry at the head of the list. Only the beginning of a long text is kept.

    If the broker does not accept it, the entry is lost, but the worker continues.
    """
    entry = {"reason": reason, "at": datetime.now(UTC).isoformat(), **details}
    text = json.dumps(entry, default=str)
    if len(text) > KEEP_CHARACTERS:
        text = json.dumps({"reason": reason[:200], "at": entry["at"], "cut_off": text[:KEEP_CHARACTERS]})
    try:
        with broker_client(settings) as redis:
            redis.lpush(DEAD_LETTERS_KEY, text)
            redis.ltrim(DEAD_LETTERS_KEY, 0, KEEP - 1)
    except RedisError as error:
        log.warning("dead letter not stored: %s", type(error).__name__)


def install(app: ServiceCelery) -> None:
    """In the main process of the worker, add each task whose last try crashed its process."""

    def keep(sender: Any, task_id: str, exception: BaseException, args: Any, kwargs: Any, **_: Any) -> None:
        if isinstance(exception, WorkerLostError):
            log.error("task moved to the dead letter queue: %s[%s]", sender.name, task_id)
            task = {"task_id": task_id, "task": sender.name, "args": args, "kwargs": kwargs}
            keep_dead_letter(app.settings, str(exception), **task)

    signals.task_failure.connect(keep, weak=False)
