"""Start the stubs, and the other servers of the calibration, as processes of their own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
STUBS = "benchmarks.calibrate.stubs"
_GRACE_S = 10.0


class NotStartedError(Exception):
    """A server did not print its URL."""


@dataclass(frozen=True, slots=True)
class Started:
    """A server that listens."""

    url: str
    pid: int

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:  # noqa: S310 - our own server
            return str(response.read().decode())

    def truth(self, query: str = "") -> Any:
        """What the server itself says it did."""
        return json.loads(self.get(f"/truth{query}"))


@contextlib.contextmanager
def started(module: str, *arguments: object) -> Iterator[Started]:
    """A server that prints its URL; it ends with the block.

    Raises:
        NotStartedError: if it ends or prints nothing instead.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise NotStartedError(f"{' '.join(command[1:])} did not start")
            yield Started(url, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def stub(name: str, *arguments: object) -> contextlib.AbstractContextManager[Started]:
    """One of the stubs, by the name of its module."""
    return started(f"{STUBS}.{name}", *arguments)
