"""The embedded stack as a test sees it: a child process, its URL, and every process that belongs to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
URL_LINE = re.compile(r"^http://127\.0\.0\.1:\d+$", re.MULTILINE)
SETTINGS_OF_THE_SHELL = ("REDIS_URL", "DATABASE_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "ENVIRONMENT")


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without settings of the service, plus `extra`."""
    return {key: value for key, value in os.environ.items() if key not in SETTINGS_OF_THE_SHELL} | extra


@dataclass
class Stack:
    """A running `inference-core up`; `family` is every process it started, to see that none is left."""

    process: subprocess.Popen[bytes]
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def url(self) -> str:
        found = URL_LINE.search(self.text)
        assert found, self.text
        return found[0]

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, signum: int = signal.SIGINT, *, within_s: float = 30.0) -> int:
        """Send a signal and wait; gives the exit code."""
        self.process.send_signal(signum)
        return self.process.wait(within_s)


@contextmanager
def start_stack(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start `inference-core up` in `folder`; whatever happens, nothing of it is left."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "up.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [BIN / "inference-core", "up", *arguments],
            cwd=folder,
            env=dict(env or clean_environment()),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    stack = Stack(process, output)
    try:
        yield stack
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


@contextmanager
def running_stack(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """The same, ready to answer."""
    with start_stack(folder, *arguments, env=env) as stack:
        wait_until(
            lambda: stack.process.poll() is not None or URL_LINE.search(stack.text), within_s=90, what="the stack's URL"
        )
        assert stack.process.poll() is None, stack.text
        yield stack


def gone(processes: list[psutil.Process]) -> bool:
    """Whether every one of them has ended."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
