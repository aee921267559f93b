"""Read processes with psutil, on systems without /proc such as macOS."""

from __future__ import annotations

import time
from collections.abc import Iterable

import psutil

from loadgate.sampler.processes.system import Listening, Process


class PortableSystem:
    """The processes of this machine."""

    memory_note = "memory includes shared memory and files, because this system does not tell them apart"

    def pids(self) -> Iterable[int]:
        """Return the ids of all processes."""
        return psutil.pids()

    def process(self, pid: int) -> Process | None:
        """Return the state of a process. The exits of its children are not known."""
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times, started = process.cpu_times(), process.create_time()
                return Process(
                    pid=pid,
                    parent=process.ppid(),
                    session=0,
                    user=process.uids().real,
                    has_terminal=True,
                    started=started,
                    age_s=time.time() - started,
                    threads=process.num_threads(),
                    cpu_s=times.user + times.system,
                    children_cpu_s=0.0,
                )
        except psutil.Error:
            return None

    def command_line(self, pid: int) -> str:
        """Return the command line of a process, with spaces between the arguments."""
        try:
            return " ".join(psutil.Process(pid).cmdline())
        except psutil.Error:
            return ""

    def memory_bytes(self, pid: int) -> float | None:
        """Return the resident memory."""
        try:
            return float(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return None

    def open_files(self, pid: int) -> float | None:
        """Return the number of open file descriptors. Raises PermissionError."""
        try:
            return float(psutil.Process(pid).num_fds())
        except psutil.AccessDenied as error:
            raise PermissionError(str(error)) from error
        except psutil.Error:
            return None

    def cpu_wait_s(self, pid: int) -> float | None:  # noqa: ARG002 - not known here
        """Return the time in which the threads of a process waited for a CPU core."""
        return None

    def pss_bytes(self, pid: int) -> float | None:  # noqa: ARG002 - not known here
        """Return `None`."""
        return None

    def listening(self, port: int) -> Listening:
        """Return the processes that listen on a TCP port. Those of other users are not visible."""
        return Listening(frozenset(pid for pid in psutil.pids() if _listens(pid, port)))

    def cgroup(self, pid: int) -> str | None:  # noqa: ARG002 - not known here
        """Return `None`."""
        return None

    def machine_cpu_s(self) -> float:
        """Return the CPU time that all cores have spent."""
        times = psutil.cpu_times()
        return float(times.user + times.system + times.nice)


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(found.status == psutil.CONN_LISTEN and found.laddr.port == port for found in connections)
