"""HAProxy and nginx for tests, with a configuration of the test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference_core.app.stack.ports import is_listening
from tests.support.processes import stop, wait_until
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


def installed(program: str) -> str:
    """The path of `haproxy` or `nginx`; the test is skipped without it."""
    found = shutil.which(program, path=PATH)
    if found is None:
        skip_or_fail(ServerUnavailableError(f"{program} is not installed; on Debian: apt-get install {program}"))
    return found


@contextmanager
def running_proxy(command: list[str | Path], port: int, **options: Any) -> Iterator[None]:
    """A proxy that listens on `port`. `options` are those of `subprocess.Popen`."""
    process = subprocess.Popen(command, **options)
    try:
        wait_until(lambda: process.poll() is not None or is_listening(port), what="the proxy listening")
        assert process.poll() is None
        yield
    finally:
        stop(process)
