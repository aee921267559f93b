"""The identity of one worker process. In containers, a new process can have the name and the id of a dead one."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from inference_core.core.processes import process_lives

PROC = Path("/proc")
BOOT_ID = PROC / "sys/kernel/random/boot_id"
ENDED = frozenset("ZX")


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One worker process.

    Attributes:
        token: A random text that no other process has.
        machine: The boot of the machine. Empty if this process cannot see others, as on systems without `/proc`.
        pid_namespace: The namespace of the process ids. Each container usually has its own.
        pid: The process id.
        started: The start time, in clock ticks since the boot.
    """

    token: str
    machine: str = ""
    pid_namespace: str = ""
    pid: int = 0
    started: int = 0

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the identity of the current process, with a new token."""
        token, pid = secrets.token_hex(16), os.getpid()
        started = _start_of(pid)
        # In a container that mounts another /proc, its process ids are those of another namespace.
        if started is None or (PROC / "self").readlink().name != str(pid):
            return cls(token, pid=pid)
        namespace = (PROC / "self/ns/pid").readlink().name
        return cls(token, BOOT_ID.read_text().strip(), namespace, pid, started)

    @classmethod
    def parse(cls, fields: object) -> Self | None:
        """Return what `as_dict` returned. None if it is something else, such as nothing in an older version."""
        try:
            return cls(**fields) if isinstance(fields, dict) else None
        except TypeError:
            return None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)

    def is_running(self, seen_by: Incarnation) -> bool | None:
        """Return whether this process runs, as the current process sees it. None if it cannot see it."""
        if not self.machine or (self.machine, self.pid_namespace) != (seen_by.machine, seen_by.pid_namespace):
            return None
        if self.pid == seen_by.pid:
            return False
        started = _start_of(self.pid)
        if started is None and process_lives(self.pid):
            return None  # processes of other users can be hidden
        return started == self.started


def _start_of(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since the boot. -1 if it has ended, None if it is not seen."""
    try:
        # The name of the program is in parentheses and can contain blanks.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return -1 if fields[0] in ENDED else int(fields[19])
