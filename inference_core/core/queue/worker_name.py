"""Refuse to start a worker whose name another worker uses. Two workers with one name would appear as one.

A worker that was killed leaves its last heartbeat behind. It does not keep its name from its successor:

- If its process ids are visible, as on the same machine or after a restart in one container, the process is looked up.
- Otherwise the successor waits for the next heartbeat, at most `SILENT_AFTER_MS` after the last one.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from celery import signals
from redis import Redis
from redis.exceptions import RedisError

from inference_core.core.exceptions import OperatorError
from inference_core.core.queue.app import ServiceCelery
from inference_core.core.queue.incarnation import Incarnation
from inference_core.core.queue.worker_state import SILENT_AFTER_MS, WORKERS_KEY, decode_entry
from inference_core.core.redis.client import broker_client
from inference_core.core.settings import Settings

POLL_S = 0.1


class NameTakenError(OperatorError):
    """Raised if another worker uses the name. The text states what to do."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The last heartbeat under a name: its time and its age by the clock of Redis, and the worker that wrote it."""

    written_ms: int
    silent_ms: int
    pid: int
    incarnation: Incarnation | None


def require_free_name(settings: Settings, node: str, own: Incarnation) -> None:
    """Wait until it is known whether a running worker has the name `node`, at most `SILENT_AFTER_MS`.

    A worker that is stopping does not count. If the broker does not respond, nothing is known, and the name is free.

    Raises:
        NameTakenError: A running worker has this name.
    """
    with suppress(RedisError), broker_client(settings) as redis:
        first_ms: int | None = None
        while (holder := _holder(redis, node)) is not None:
            seen = holder.incarnation.is_running(own) if holder.incarnation else None
            if seen is False:
                return
            if seen or (first_ms is not None and holder.written_ms != first_ms):
                place = "" if seen else " in another container or on another machine"
                raise NameTakenError(
                    f"a worker {node} is already running (process {holder.pid}{place}); "
                    "choose another name, such as --name second"
                )
            if holder.silent_ms > SILENT_AFTER_MS:
                return
            first_ms = holder.written_ms
            time.sleep(POLL_S)


def _holder(redis: Redis, node: str) -> Holder | None:
    value = cast("bytes | None", redis.hget(WORKERS_KEY, node))
    if value is None:
        return None
    seconds, microseconds = redis.time()
    try:
        written_ms, report = decode_entry(value)
    except ValueError:
        return None
    if report["phase"] != "running":
        return None
    silent_ms = seconds * 1000 + microseconds // 1000 - written_ms
    incarnation = Incarnation.parse(report.get("incarnation"))
    return Holder(written_ms, silent_ms, int(report["stats"].get("pid", 0)), incarnation)


def install(app: ServiceCelery) -> None:
    """Give each worker of the application an identity, and refuse its start if its name is taken."""

    def check(sender: str, **_: object) -> None:
        app.incarnation = Incarnation.of_this_process()
        try:
            require_free_name(app.settings, sender, app.incarnation)
        except NameTakenError as error:
            sys.exit(f"worker: {error}")

    signals.celeryd_init.connect(check, weak=False)
