"""Release the lease of a task that the worker ends: revoked, expired, stopped or killed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from celery import signals
from redis.exceptions import RedisError

from inference_core.core.queue.app import ServiceCelery
from inference_core.core.redis.client import sync_client
from inference_core.core.settings import Settings
from inference_core.llm.accounting.limits import lease_keys
from inference_core.llm.worker.job import TASK_NAMES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseReleaser:
    """A receiver of the worker's signals about tasks that did not finish."""

    settings: Settings

    def revoked(self, sender: Any, request: Any, **_: Any) -> None:
        """Handle a task that was revoked, has expired or was stopped."""
        self._release(sender.name, request.id, request.args)

    def failed(self, sender: Any, task_id: str, args: Any, **_: Any) -> None:
        """Handle the final failure of a task, including a crash or the time limit of its process."""
        self._release(sender.name, task_id, args)

    def _release(self, name: str, task_id: str, args: Any) -> None:
        if name not in TASK_NAMES.values():
            return
        try:
            leases, reserved = lease_keys(args[0]["key"])
            with sync_client(self.settings, self.settings.redis_url) as redis:
                redis.zrem(leases, task_id)
                redis.hdel(reserved, task_id)
        except (RedisError, OSError, LookupError, TypeError) as error:
            # The lease expires by itself later.
            log.warning("lease of a task not released: %s[%s]: %s", name, task_id, type(error).__name__)


def install(app: ServiceCelery) -> None:
    """Connect the signals in every process of the worker."""
    releaser = LeaseReleaser(app.settings)
    signals.task_revoked.connect(releaser.revoked, weak=False)
    signals.task_failure.connect(releaser.failed, weak=False)
