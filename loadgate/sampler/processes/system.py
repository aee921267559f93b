"""What the sampler asks an operating system about its processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class Process(NamedTuple):
    """The state of a process at one moment. A process id can be reused, but not with the same `started`."""

    pid: int
    parent: int
    session: int
    user: int
    has_terminal: bool
    started: float
    """The start of the process. Its unit depends on the system."""
    age_s: float
    threads: int
    cpu_s: float
    """CPU time of the process itself."""
    children_cpu_s: float
    """CPU time of its children that have ended and whose exit it has read, and of theirs."""

    def is_same(self, other: Process | None) -> bool:
        """Return whether both are states of one process."""
        return other is not None and self.started == other.started


class Listening(NamedTuple):
    """The processes that listen on a port. `is_hidden` says that there is one which may not be examined."""

    pids: frozenset[int]
    is_hidden: bool = False


class System(Protocol):
    """Reads processes. `None` means that a value does not exist, for example because the process has ended."""

    memory_note: str
    """Why the memory is not the anonymous resident memory. Empty if it is."""

    def pids(self) -> Iterable[int]:
        """Return the ids of all processes."""
        ...

    def process(self, pid: int) -> Process | None:
        """Return the state of a process."""
        ...

    def command_line(self, pid: int) -> str:
        """Return the command line of a process, with spaces between the arguments."""
        ...

    def memory_bytes(self, pid: int) -> float | None:
        """Return the resident memory that the process does not share with files."""
        ...

    def open_files(self, pid: int) -> float | None:
        """Return the number of open file descriptors. Raises PermissionError."""
        ...

    def cpu_wait_s(self, pid: int) -> float | None:
        """Return the seconds in which the threads of a process were ready to run and did not run, if they are known."""
        ...

    def pss_bytes(self, pid: int) -> float | None:
        """Return the proportional set size. Raises PermissionError."""
        ...

    def listening(self, port: int) -> Listening:
        """Return the processes that listen on a TCP port."""
        ...

    def cgroup(self, pid: int) -> str | None:
        """Return the path of the process's cgroup of version 2."""
        ...

    def machine_cpu_s(self) -> float:
        """Return the CPU time that all cores have spent since the start of the machine."""
        ...
