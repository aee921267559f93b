"""What the tests of a service need: a private Redis, the application in the process of the tests, and a worker."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from inference_core.app.application import create_application
from inference_core.app.stack.inherited import inherited
from inference_core.app.stack.ports import LOOPBACK, free_port, is_listening
from inference_core.app.stack.redis_server import find_redis_server, redis_command
from inference_core.app.stack.worker import worker_command, workers_running
from inference_core.core.current_service import current_service
from inference_core.core.feature import Service
from inference_core.core.service_settings import settings_class
from inference_core.core.settings import Settings
from inference_core.core.state import AppState

START_S = 20.0
WORKER_START_S = 60.0
STOP_S = 20.0
POLL_S = 0.02
# By which a worker finds the data of the application.
SHARED_SETTINGS = ("environment", "database_url", "redis_url", "redis_prefix")


@dataclass(frozen=True, slots=True)
class Api:
    """A running application, and a client whose requests reach it without a network."""

    client: httpx2.AsyncClient
    app: FastAPI
    settings: Settings
    state: AppState


@contextmanager
def private_redis(folder: Path) -> Iterator[str]:
    """Run a Redis server with its data in `folder`, and return its URL.

    Raises:
        NoRedisServerError: This machine has no Redis server. The text states how to install one.
        TimeoutError: It does not listen in time.
    """
    port = free_port()
    with (folder / "redis.log").open("ab") as log:
        command = redis_command(find_redis_server(), port=port, data=folder)
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                deadline_s = time.monotonic() + START_S
                while not is_listening(port):
                    if time.monotonic() > deadline_s or process.poll() is not None:
                        raise TimeoutError(f"Redis does not listen; see {folder / 'redis.log'}")
                    time.sleep(POLL_S)
                yield f"redis://{LOOPBACK}:{port}/0"
            finally:
                _stop(process)


@asynccontextmanager
async def running_api(service: Service | None = None, /, **settings: Any) -> AsyncIterator[Api]:
    """Run an application with these settings and the defaults of all others; a `.env` file is not read.

    The default service is `current_service()`. The database is migrated at the start.
    """
    service = service or current_service()
    values = settings_class(service)(_env_file=None, **{"environment": "testing", **settings})
    app = create_application(service, values)
    async with app.router.lifespan_context(app) as opened:
        state = dict(opened or {})

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx2.ASGITransport(app=with_state, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield Api(client, app, values, state["app"])


@contextmanager
def running_worker(settings: Settings, folder: Path) -> Iterator[None]:
    """Run a worker with the database and the Redis of these settings, and its log in `folder`.

    Raises:
        TimeoutError: It does not start in time.
    """
    shared = {name: str(getattr(settings, name)) for name in SHARED_SETTINGS}
    env = {**inherited(os.environ), **{name.upper(): value for name, value in shared.items() if value}}
    name = f"test-{secrets.token_hex(4)}"
    path = folder / f"{name}.log"
    command = worker_command(current_service(), settings, concurrency=1, name=name)
    with path.open("ab") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as process:
        try:
            deadline_s = time.monotonic() + WORKER_START_S
            while process.pid not in workers_running(settings).values():
                if time.monotonic() > deadline_s or process.poll() is not None:
                    raise TimeoutError(f"the worker does not start; see {path}")
                time.sleep(POLL_S)
            yield
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
