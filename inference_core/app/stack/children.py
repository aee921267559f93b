"""Child processes that end with their parent. Each has a log file, and they are stopped in reverse order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
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


@dataclass(slots=True)
class Child:
    """A child process, how it was started, and its log file. A restart replaces `process`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    command: Sequence[str]
    env: Mapping[str, str]

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
        log.write_bytes(b"")
        child = Child(name, _started(command, env, log), log, command, env)
        self._children.append(child)
        return child

    def restart(self, *names: str) -> None:
        """Stop these children together, and start them again. Their logs continue.

        Raises:
            KeyboardInterrupt: A stop signal was received.
        """
        chosen = [child for child in self._children if child.name in names]
        for child in chosen:
            child.process.terminate()
        deadline = time.monotonic() + self._stop_grace_s
        for child in chosen:
            while child.process.poll() is None and time.monotonic() < deadline:
                self._stop_signals.check()
                time.sleep(POLL_S)
            _kill_group(child.process.pid)
            child.process.wait()
        for child in chosen:
            child.process = _started(child.command, child.env, child.log)

    def check(self, may_end: Collection[str] = ()) -> None:
        """Check that the stack continues to run. The children `may_end` can be restarted, so they may have ended.

        Raises:
            KeyboardInterrupt: A stop signal was received.
            ChildDiedError: A child has ended.
        """
        self._stop_signals.check()
        if ended := next((text for name, text in self.ended().items() if name not in may_end), None):
            raise ChildDiedError(ended)

    def ended(self) -> dict[str, str]:
        """Return how children have ended, with their last lines, by name."""
        return {
            child.name: f"{child.name} ended with code {code}; its last lines:\n{child.last_lines()}"
            for child in self._children
            if (code := child.process.poll()) is not None
        }

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


def _started(command: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env={**inherited(os.environ), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509
        )


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
