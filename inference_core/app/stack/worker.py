"""The command line of the Celery worker, and the running workers that the broker knows."""

from __future__ import annotations

import sys
from contextlib import suppress

from celery.utils.nodenames import default_nodename
from redis.exceptions import RedisError

from inference_core.core.exceptions import OperatorError
from inference_core.core.feature import Service
from inference_core.core.processes import process_lives
from inference_core.core.queue.worker_state import WORKERS_KEY, decode_entry
from inference_core.core.redis.client import broker_client
from inference_core.core.settings import Settings


class NameTakenError(OperatorError):
    """Raised if a worker with this name is running on this machine. The text states what to do."""


def worker_command(service: Service, settings: Settings, concurrency: int, name: str = "celery") -> list[str]:
    """Return the command line of a worker for all queues of the service, with the name `name@host`."""
    celery = [sys.executable, "-m", "celery", "-A", "inference_core.celery.celery_main:celery_app", "worker"]
    options = [f"--queues={','.join(service.queues)}", f"--concurrency={concurrency}", f"--hostname={name}@%h"]
    return [*celery, f"--loglevel={settings.log_level}", *options]


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


def require_free_name(settings: Settings, name: str) -> None:
    """Check that no worker has this name, because two workers with one name would appear as one.

    Raises:
        NameTakenError: A worker with this name is running on this machine.
    """
    node = default_nodename(f"{name}@")
    pid = workers_running(settings).get(node)
    if pid and process_lives(pid):
        raise NameTakenError(
            f"a worker {node} is already running (process {pid}); choose another name, such as --name second"
        )
