"""Processes that exist only in a test."""

from __future__ import annotations

from collections.abc import Iterable

from loadgate.sampler.processes.system import Listening, Process


class FakeSystem:
    """A system whose processes are added and removed by a test."""

    def __init__(self) -> None:
        self.waited_s: dict[int, float] = {}
        self.memory_note = ""
        self.table: dict[int, Process] = {}
        self.lines: dict[int, str] = {}
        self.ports: dict[int, Listening] = {}
        self.cgroups: dict[int, str] = {}
        self.forbidden: set[int] = set()
        self.pss_read: list[int] = []

    def add(self, pid: int, parent: int, line: str = "", **changes: float | bool) -> None:
        """Add a process, or replace it."""
        process = Process(
            pid=pid,
            parent=parent,
            session=pid,
            user=1000,
            has_terminal=False,
            started=1,
            age_s=1000,
            threads=1,
            cpu_s=0,
            children_cpu_s=0,
        )
        self.table[pid] = process._replace(**changes)  # type: ignore[arg-type]
        self.lines[pid] = line

    def change(self, pid: int, **changes: float) -> None:
        self.table[pid] = self.table[pid]._replace(**changes)  # type: ignore[arg-type]

    def pids(self) -> Iterable[int]:
        return list(self.table)

    def process(self, pid: int) -> Process | None:
        return self.table.get(pid)

    def command_line(self, pid: int) -> str:
        return self.lines.get(pid, "")

    def memory_bytes(self, pid: int) -> float | None:
        return 1000.0 if pid in self.table else None

    def open_files(self, pid: int) -> float | None:
        if pid in self.forbidden:
            raise PermissionError
        return 10.0

    def cpu_wait_s(self, pid: int) -> float | None:
        return self.waited_s.get(pid)

    def pss_bytes(self, pid: int) -> float | None:
        self.pss_read.append(pid)
        if pid in self.forbidden:
            raise PermissionError
        return 500.0

    def listening(self, port: int) -> Listening:
        return self.ports.get(port, Listening(frozenset()))

    def cgroup(self, pid: int) -> str | None:
        return self.cgroups.get(pid, "/")

    def machine_cpu_s(self) -> float:
        return 0.0
