"""Commands as processes that cost no imports: their exit codes and what they write."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

ROOT = Path(__file__).resolve().parents[2]
# What nobody who uses a command is to read: the interpreter's words for an error that nobody handled, and its warnings.
NOT_FOR_USERS = re.compile(
    r"Traceback|most recent call last|Exception ignored|sys\.excepthook|[A-Z]\w*Warning\b|Fatal Python"
)
# Celery's warning of a worker that root runs.
EXPECTED = re.compile(r"SecurityWarning")


class Outcome(NamedTuple):
    """How a command ended; `code` is negative if a signal ended it."""

    code: int
    out: str
    err: str
    timed_out: bool
    cpu_s: float

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip()]

    def not_for_users(self) -> list[str]:
        """What of the output belongs to a developer."""
        found = [part[0] for part in NOT_FOR_USERS.finditer(self.text) if not EXPECTED.fullmatch(part[0])]
        return [*found, "does not end"] if self.timed_out else found


class ForkedCommands:
    """A process that has imported `modules` and is forked for each command. Use as a context."""

    def __init__(self, modules: Sequence[str], folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked_program", *modules],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its streams, which ends it, and waits
            pass

    def run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        stdout: str = "file",
        stderr: str = "file",
        ready: str = "",
        timeout_s: float = 60,
    ) -> Outcome:
        """Run what follows `python` on a command line. `stdout` and `stderr`: `file`, `closed`, `full`, `unread`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        case = {"argv": [*argv], "env": {**env}, "cwd": str(cwd), "folder": str(self._folder)}
        case |= {"stdout": stdout, "stderr": stderr, "ready": ready, "timeout_s": timeout_s}
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that is forked has ended"
        return Outcome(**json.loads(answer))
