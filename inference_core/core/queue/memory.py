"""Let the processes of a worker share the memory of what the worker has imported.

A forked process shares the pages of its parent until one of the two writes to them. The garbage collector writes to
every object that it examines, so its first full collection would copy most of the memory.
"""

from __future__ import annotations

import gc
from typing import Any

from celery import signals


def install() -> None:
    """Exclude the objects of the imports from later garbage collections, in every process of the worker."""

    def freeze(**_: Any) -> None:
        # Only once, because later processes would make objects permanent that are not.
        if not gc.get_freeze_count():
            gc.freeze()

    signals.worker_before_create_process.connect(freeze, weak=False)
    # Celery forks beat before or after the processes for tasks. The order differs from start to start.
    signals.beat_embedded_init.connect(freeze, weak=False)
