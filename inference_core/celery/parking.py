"""Tasks that killed their process at every try are set aside where a person can look at them; the worker goes on."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from celery import signals
from celery.exceptions import WorkerLostError
from redis.exceptions import RedisError

from inference_core.celery.app import ServiceCelery
from inference_core.celery.worker_state import PARKED_KEY
from inference_core.redis.client import broker_client

log = logging.getLogger(__name__)

# Enough to see a pattern, bounded so that a bad day does not fill the broker.
KEEP = 1000


def install(app: ServiceCelery) -> None:
    """Park, in the worker's main process, each task whose last try lost its process."""

    def park(sender: Any, task_id: str, exception: BaseException, args: Any, kwargs: Any, **_: Any) -> None:
        if not isinstance(exception, WorkerLostError):
            return
        entry = {
            "task_id": task_id,
            "task": sender.name,
            "args": args,
            "kwargs": kwargs,
            "reason": str(exception),
            "parked_at": datetime.now(UTC).isoformat(),
        }
        log.error("task parked: %s[%s]", sender.name, task_id)
        try:
            with broker_client(app.settings) as redis:
                redis.lpush(PARKED_KEY, json.dumps(entry, default=str))
                redis.ltrim(PARKED_KEY, 0, KEEP - 1)
        except RedisError as error:
            log.warning("parked task not stored: %s", type(error).__name__)

    signals.task_failure.connect(park, weak=False)
