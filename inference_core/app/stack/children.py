"""Child processes that end with their parent. Each has a log file, and they are stopped in reverse order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

from inference_core.app.stack.inherited import inherited
from inference_core.app.stack.stop_signals import STOP_SIGNALS, StopSignals
from inference_core.core.exceptions import OperatorError

LAST_LINES = 15
POLL_S = 0.02
PR_SET_PDEATHSIG = 1


class ChildDiedError(OperatorError):
    """Raised if a child ended by itself. The text contains its name, exit code and last log lines."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child process and its log file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_lines(self) -> str:
        """Return the end of the log, indented for display."""
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join(f"    {line}" for line in lines)


class Children:
    """The children of one stack. Use it as a context, which stops all of them at its end."""

    def __init__(self, logs: Path, stop_signals: StopSignals, stop_grace_s: float = 15.0) -> None:
        self.logs = logs
        self._stop_signals = stop_signals
        self._stop_grace_s = stop_grace_s
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> Child:
        """Start a child in its own session, so that a Ctrl-C in the terminal reaches only the parent."""
        log = self.logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env={**inherited(os.environ), **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Check that the stack continues to run.

        Raises:
            KeyboardInterrupt: A stop signal was received.
            ChildDiedError: A child has ended.
        """
        self._stop_signals.check()
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise ChildDiedError(f"{child.name} ended with code {code}; its last lines:\n{child.last_lines()}")

    def stop(self) -> None:
        """Stop all children in reverse order: SIGTERM, and after the grace period SIGKILL to the whole session.

        A signal in the meantime only ends the grace period.
        """
        deadline = time.monotonic() + self._stop_grace_s

        def hurry(_signum: int, _frame: FrameType | None) -> None:
            nonlocal deadline
            deadline = 0.0

        previous = {number: signal.signal(number, hurry) for number in STOP_SIGNALS}
        try:
            while self._children:
                child = self._children.pop()
                if child.process.poll() is None:
                    child.process.terminate()
                while child.process.poll() is None and time.monotonic() < deadline:
                    time.sleep(POLL_S)
                _kill_group(child.process.pid)
                child.process.wait()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # the group has already ended


def _die_with_parent(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None)

    def ask_for_sigterm() -> None:
        # If the parent is killed, the kernel stops the child.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask_for_sigterm
