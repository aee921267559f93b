"""Send a scheduled task as the beat process of a worker does, and print as JSON what the process keeps."""

from __future__ import annotations

import gc
import json
import sys

from celery import signals
from celery.beat import Scheduler

from tests.support.service_tasks import celery_app

WARM_UP = 200
SENDS = 400


def main() -> None:
    celery_app.set_default()
    celery_app.set_current()
    scheduler = Scheduler(celery_app)
    signals.beat_embedded_init.send(sender=scheduler)
    examined_objects = len(gc.get_objects())
    entry = scheduler.schedule["send-due-mail"]

    def send(times: int) -> None:
        for _ in range(times):
            scheduler.apply_async(entry, producer=scheduler.producer)

    send(WARM_UP)
    gc.collect()
    gc.disable()
    blocks = sys.getallocatedblocks()
    send(SENDS)
    garbage = gc.collect()
    kept = {"garbage_objects": garbage / SENDS, "blocks": (sys.getallocatedblocks() - blocks) / SENDS}
    print(json.dumps({"examined_objects": examined_objects, "frozen_objects": gc.get_freeze_count(), **kept}))


if __name__ == "__main__":
    main()
