"""The command lines of the Celery worker and of beat, and the running workers that the broker knows."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from celery.utils.nodenames import default_nodename
from redis.exceptions import RedisError

from inference_core.core.exceptions import OperatorError
from inference_core.core.feature import Service
from inference_core.core.queue.worker_state import WORKERS_KEY, decode_entry
from inference_core.core.redis.client import broker_client
from inference_core.core.settings import Settings

CELERY = (sys.executable, "-m", "celery", "-A", "inference_core.celery.celery_main:celery_app")
# A worker writes its heartbeat every second. A busy machine delays it.
SILENT_S = 30.0


class WorkerSilentError(OperatorError):
    """Raised if a worker has written no heartbeat for a while. The text names it."""


class UnknownQueueError(OperatorError):
    """Raised for a queue that the service does not have. The text lists the queues."""


def worker_command(
    service: Service, settings: Settings, concurrency: int, name: str = "celery", queues: Sequence[str] = ()
) -> list[str]:
    """Return the command line of a worker with the name `name@host`. The default is a worker for all queues.

    Raises:
        UnknownQueueError: The service does not have one of the queues.
    """
    if unknown := [queue for queue in queues if queue not in service.queues]:
        raise UnknownQueueError(f"there is no queue {unknown[0]!r}; the queues are {', '.join(service.queues)}")
    options = [f"--queues={','.join(queues or service.queues)}", f"--concurrency={concurrency}"]
    return [*CELERY, "worker", f"--loglevel={settings.log_level}", *options, f"--hostname={name}@%h"]


def beat_command(settings: Settings) -> list[str]:
    """Return the command line of the scheduler. It stores in the temporary folder when it has sent which task."""
    schedule = Path(tempfile.gettempdir()) / "celerybeat-schedule"
    return [*CELERY, "beat", f"--loglevel={settings.log_level}", f"--schedule={schedule}", "--pidfile="]


def workers_running(settings: Settings) -> dict[str, int]:
    """Return the workers with a heartbeat, and their processes. Empty if the broker does not respond."""
    running: dict[str, int] = {}
    with suppress(RedisError), broker_client(settings) as redis:
        for name, value in redis.hgetall(WORKERS_KEY).items():
            with suppress(ValueError):  # of another version
                _, report = decode_entry(value)
                if report["phase"] == "running":
                    running[name.decode()] = int(report["stats"].get("pid", 0))
    return running


def require_heartbeat(settings: Settings, name: str, within_s: float = SILENT_S) -> None:
    """Check that the worker of this machine has written its heartbeat in the last `within_s` seconds.

    The check passes if the broker does not respond, because a restart of the worker would not help.

    Raises:
        WorkerSilentError: The worker does not run, or it hangs.
    """
    node = default_nodename(f"{name}@")
    try:
        with broker_client(settings) as redis:
            value = redis.hget(WORKERS_KEY, node)
            seconds, microseconds = redis.time()
    except RedisError:
        return
    try:
        written_ms, _ = decode_entry(value or b"")
    except ValueError:
        raise WorkerSilentError(f"the worker {node} has no heartbeat") from None
    silent_s = seconds + microseconds / 1_000_000 - written_ms / 1000
    if silent_s > within_s:
        raise WorkerSilentError(f"the last heartbeat of the worker {node} is {silent_s:.0f} s old")
