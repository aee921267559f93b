"""Child processes for tests: started on free ports, waited for with a deadline, always stopped by their id."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inference_core.app.stack.ports import free_port, is_listening
from inference_core.app.stack.redis_server import find_redis_server, redis_command
from inference_core.core.redis.client import broker_client
from inference_core.core.redis.keyspace import SyncKeyspace
from tests.support.preloaded import Program
from tests.support.settings import Settings


def keys_of_service(url: str) -> SyncKeyspace:
    """A client that sees what a service with the default prefix has in the Redis at `url`."""
    return broker_client(Settings(_env_file=None, redis_url=url))


def wait_until(
    condition: Callable[[], object], *, within_s: float = 20.0, every_s: float = 0.02, what: str = ""
) -> None:
    """Poll `condition` until it holds.

    Raises:
        AssertionError: if it does not within `within_s`.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or condition}"
        time.sleep(every_s)


def stop(process: Program, *, grace_s: float = 10.0) -> None:
    """End a process: SIGTERM, then SIGKILL after the grace."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(grace_s)


@contextmanager
def redis_server(folder: Path, port: int | None = None, *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A private Redis, with further options of its command line; gives its URL and its process."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "redis.log").open("ab") as log:
        command = [*redis_command(find_redis_server(), port=port, data=folder), *options]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or is_listening(port), what="redis listening")
            assert process.poll() is None, (folder / "redis.log").read_text()
            yield f"redis://127.0.0.1:{port}/0", process
        finally:
            stop(process)
