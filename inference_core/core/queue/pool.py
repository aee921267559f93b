"""The supported worker pool: Celery's `prefork`."""

from __future__ import annotations

import sys
from typing import Any

from celery import signals
from celery.concurrency import get_implementation
from celery.concurrency.prefork import TaskPool

from inference_core.core.queue.app import ServiceCelery


def install(app: ServiceCelery) -> None:
    """Refuse to start a worker whose pool cannot stop a task at its time limit or contain its crash."""

    def check(options: dict[str, Any], **_: Any) -> None:
        wanted = options.get("pool") or options.get("pool_cls") or app.conf.worker_pool
        pool = get_implementation(wanted)
        if not issubclass(pool, TaskPool):
            name = wanted if isinstance(wanted, str) else wanted.__module__.rpartition(".")[2]
            sys.exit(
                f"worker: the pool '{name}' cannot stop a task at its time limit or contain its crash; "
                "use --pool=prefork, the default"
            )

    signals.celeryd_init.connect(check, weak=False)
