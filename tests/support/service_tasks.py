"""The service's Celery application with a few tasks that behave as a fault test needs them to."""

from __future__ import annotations

import gc
import os
import signal
import time
from pathlib import Path

from inference_core.celery.celery_main import celery_app
from inference_core.core.queue.base_task import ServiceTask, TaskFailedError


def _note(path: str, word: str) -> None:
    with Path(path).open("a") as stream:
        stream.write(f"{word}\n")


@celery_app.task(name="test.add")
def add(left: int, right: int) -> int:
    return left + right


@celery_app.task(name="test.memory")
def memory() -> dict[str, int]:
    """Collect garbage, and return the memory of this process by kind, in KiB, as Linux reports it."""
    gc.collect()
    lines = (line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return {name.rstrip(":"): int(size) for name, size, *_ in lines}


@celery_app.task(name="test.fail")
def fail(secret: str, readable: bool = False) -> None:
    if readable:
        raise TaskFailedError("The file is not a picture.")
    raise RuntimeError(f"password {secret}")


@celery_app.task(name="test.break")
def break_down(secret: str) -> None:
    raise RuntimeError("broken")


@celery_app.task(name="test.slow", bind=True)
def slow(self: ServiceTask, seconds: float, notes: str) -> str:
    """Note the start, take the time, note the effect once for this task's id, note the end."""
    _note(notes, f"start {self.request.id}")
    time.sleep(seconds)
    _note(notes, f"effect {self.request.id}")
    return "done"


@celery_app.task(name="test.held", bind=True)
def held(self: ServiceTask, release: str, notes: str) -> str:
    """Note the start, and go on until the file `release` is there."""
    _note(notes, f"start {self.request.id}")
    while not Path(release).exists():
        time.sleep(0.02)
    return "done"


@celery_app.task(name="test.soon", bind=True)
def soon(self: ServiceTask, notes: str) -> str:
    """Note the try, and ask for the second in ten seconds."""
    _note(notes, f"try {self.request.retries}")
    if not self.request.retries:
        raise self.retry(countdown=10)
    return "done"


@celery_app.task(name="test.later", bind=True)
def later(self: ServiceTask, notes: str, **_: str) -> str:
    """Note the try, and ask for the second in five minutes."""
    _note(notes, f"try {self.request.retries}")
    if not self.request.retries:
        raise self.retry(countdown=300)
    return "done"


@celery_app.task(name="test.crash", bind=True)
def crash(self: ServiceTask, notes: str) -> None:
    _note(notes, f"try {self.request.retries}")
    os.kill(os.getpid(), signal.SIGKILL)


@celery_app.task(name="test.crash_once", bind=True)
def crash_once(self: ServiceTask, notes: str) -> str:
    _note(notes, f"try {self.request.retries}")
    if not self.request.retries:
        os.kill(os.getpid(), signal.SIGKILL)
    _note(notes, "effect")
    return "done"
