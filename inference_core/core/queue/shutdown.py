"""Limit the time that running tasks have to finish after a SIGTERM. Afterwards, they return to the queue.

Without the limit, Celery waits for the tasks until its supervisor kills the worker. The tasks are then delivered again
only after the visibility timeout.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from celery import signals

from inference_core.core.queue.app import ServiceCelery


def install(app: ServiceCelery) -> None:
    """Start a cold shutdown when the time of the warm shutdown has passed."""

    def limit(how: str, **_: Any) -> None:
        if how != "Warm":
            return

        def give_back() -> None:
            app.conf.worker_soft_shutdown_timeout = 0  # it has already passed
            os.kill(os.getpid(), signal.SIGQUIT)

        timer = threading.Timer(app.settings.celery_soft_shutdown_s, give_back)
        timer.daemon = True
        timer.start()

    signals.worker_shutting_down.connect(limit, weak=False)
