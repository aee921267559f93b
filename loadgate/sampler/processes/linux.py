"""Read processes from /proc. See proc(5)."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from loadgate.sampler.processes.system import Listening, Process

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_KIB = 1024
MAX_COMMAND_BYTES = 16_384
"""A command line can have megabytes, in which a regular expression can search for hours."""

_LISTEN = "0A"
"""The state TCP_LISTEN in /proc/net/tcp."""


class LinuxSystem:
    """The processes of this machine, or of this container."""

    def __init__(self, proc: str = "/proc") -> None:
        self.memory_note = ""
        self._proc = proc
        self._listening: dict[int, tuple[set[str], Listening]] = {}

    def pids(self) -> Iterable[int]:
        """Return the ids of all processes."""
        return [int(name) for name in os.listdir(self._proc) if name.isdigit()]

    def process(self, pid: int) -> Process | None:
        """Return the state of a process."""
        path = f"{self._proc}/{pid}"
        try:
            text, user = _read(f"{path}/stat"), os.stat(path).st_uid
        except OSError:
            return None
        field = _stat_fields(text)
        started = int(field[19])
        return Process(
            pid=pid,
            parent=int(field[1]),
            session=int(field[3]),
            user=user,
            has_terminal=int(field[4]) != 0,
            started=started,
            age_s=time.clock_gettime(time.CLOCK_BOOTTIME) - started * _TICK_S,
            threads=int(field[17]),
            cpu_s=(int(field[11]) + int(field[12])) * _TICK_S,
            children_cpu_s=(int(field[13]) + int(field[14])) * _TICK_S,
        )

    def command_line(self, pid: int) -> str:
        """Return the first MAX_COMMAND_BYTES of the command line of a process, with spaces between the arguments."""
        try:
            line = _read(f"{self._proc}/{pid}/cmdline", MAX_COMMAND_BYTES)
        except OSError:
            return ""
        return line.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")

    def memory_bytes(self, pid: int) -> float | None:
        """Return the anonymous resident memory, or the whole resident memory if the kernel does not tell it apart."""
        try:
            status = _read(f"{self._proc}/{pid}/status")
        except OSError:
            return None
        if (anonymous := _size(status, b"RssAnon:")) is not None:
            return anonymous
        resident = _size(status, b"VmRSS:")  # a process that has ended has none
        if resident is not None:
            self.memory_note = "memory includes shared memory and files, because this kernel has no RssAnon"
        return resident

    def open_files(self, pid: int) -> float | None:
        """Return the number of open file descriptors. Raises PermissionError."""
        path = f"{self._proc}/{pid}/fd"
        try:
            # Since Linux 6.2 the size is the number. Before, it is 0.
            return os.stat(path).st_size or len(os.listdir(path))
        except PermissionError:
            if self._has_ended(pid):
                return None
            raise
        except OSError:
            return None

    def _has_ended(self, pid: int) -> bool:
        """Return whether a process has ended, and its parent has perhaps not read its exit yet.

        The files of such a process cannot be read, whoever owns it.
        """
        try:
            return _stat_fields(_read(f"{self._proc}/{pid}/stat"))[0] == b"Z"
        except OSError:
            return True

    def cpu_wait_s(self, pid: int) -> float | None:
        """Return the seconds in which the threads of a process were ready to run and did not run (schedstat)."""
        path = f"{self._proc}/{pid}/task"
        try:
            return sum(int(_read(f"{path}/{thread}/schedstat").split()[1]) for thread in os.listdir(path)) / 1e9
        except (OSError, IndexError, ValueError):  # the thread has just ended, or the kernel has no such statistics
            return None

    def pss_bytes(self, pid: int) -> float | None:
        """Return the proportional set size. Raises PermissionError."""
        try:
            return _size(_read(f"{self._proc}/{pid}/smaps_rollup"), b"Pss:")
        except PermissionError:
            raise
        except OSError:
            return None

    def listening(self, port: int) -> Listening:
        """Return the processes that listen on a TCP port."""
        links, known = self._listening.get(port, (set(), Listening(frozenset())))
        # Searching takes long if there are many connections or open files.
        if known.pids and all(self._has_file(pid, links) for pid in known.pids):
            return known
        inodes = {inode for name in ("tcp", "tcp6") for inode in self._listening_inodes(name, port)}
        if not inodes:
            return Listening(frozenset())
        links = {f"socket:[{inode}]" for inode in inodes}
        pids = frozenset(pid for pid in self.pids() if self._has_file(pid, links))
        known = Listening(pids, is_hidden=not pids)
        self._listening[port] = links, known
        return known

    def _listening_inodes(self, name: str, port: int) -> Iterable[str]:
        try:
            lines = _read(f"{self._proc}/net/{name}").decode("ascii", "replace").splitlines()[1:]
        except OSError:
            return
        for line in lines:
            field = line.split()
            if field[3] == _LISTEN and int(field[1].rpartition(":")[2], 16) == port:
                yield field[9]

    def _has_file(self, pid: int, links: set[str]) -> bool:
        path = f"{self._proc}/{pid}/fd"
        try:
            names = os.listdir(path)
        except OSError:
            return False
        for name in names:
            try:
                if os.readlink(f"{path}/{name}") in links:
                    return True
            except OSError:
                continue
        return False

    def cgroup(self, pid: int) -> str | None:
        """Return the path of the process's cgroup of version 2."""
        try:
            lines = _read(f"{self._proc}/{pid}/cgroup").decode("utf-8", "replace").splitlines()
        except OSError:
            return None
        return next((line[3:] for line in lines if line.startswith("0::")), None)

    def machine_cpu_s(self) -> float:
        """Return the CPU time that all cores have spent, without time for other virtual machines."""
        user, nice, system, _idle, _wait, irq, soft_irq, *_ = _read(f"{self._proc}/stat").split(b"\n", 1)[0].split()[1:]
        return sum(map(int, (user, nice, system, irq, soft_irq))) * _TICK_S


def _read(path: str, at_most: int = sys.maxsize) -> bytes:
    # Fast path: os.open is 2.5 times as fast as open() for the small files of /proc.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, 65_536)
        # The kernel returns long files in pieces, which can be shorter than a page.
        while len(data) < at_most and (piece := os.read(descriptor, 65_536)):
            data += piece
    except ProcessLookupError:
        raise FileNotFoundError(path) from None
    finally:
        os.close(descriptor)
    return data[:at_most]


def _stat_fields(text: bytes) -> list[bytes]:
    """Return the fields of `/proc/PID/stat`, beginning with the third one, the state."""
    # The name of the program is in parentheses, and it can contain spaces and parentheses.
    return text[text.rfind(b")") + 2 :].split()


def _size(text: bytes, name: bytes) -> float | None:
    """Return a size in bytes from a file with lines such as `VmRSS:  1234 kB`."""
    position = text.find(b"\n" + name)
    if position < 0:
        return None
    return int(text[position + 1 + len(name) :].split(None, 1)[0]) * _KIB


def read_text(path: Path) -> str | None:
    """Return the content of a small file. `None` if it cannot be read."""
    try:
        return _read(str(path)).decode("ascii", "replace")
    except OSError:
        return None
