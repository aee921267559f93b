"""Find the processes of the target and of its parts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadgate.sampler.configuration import Configuration, ProcessSource
from loadgate.sampler.pace import Pace
from loadgate.sampler.processes.system import Process, System

MIN_INTERVAL_S = 0.5
MAX_SHARE = 0.001
"""The share of a core that the scans of all processes use at most."""


FORWARDERS = frozenset(
    {"docker-proxy", "rootlessport", "slirp4netns", "pasta", "gvproxy", "com.docker.backend", "kubectl", "ssh", "sshd"}
)
"""Programs that listen on a port for a process in a container or on another machine."""


@dataclass(slots=True)
class Found:
    """The result of a scan: the processes of each part, and the reasons why some parts have none."""

    parts: dict[str, dict[int, Process]] = field(default_factory=dict)
    """By part: its processes by their id, in the state of the scan."""
    problems: dict[str, str] = field(default_factory=dict)
    """By part."""
    target_problem: str = ""


class Finder:
    """Finds the processes of the configured parts again and again, because they start and end during a run."""

    def __init__(self, configuration: Configuration, system: System, own_pid: int) -> None:
        self._configuration = configuration
        self._system = system
        self._own_pid = own_pid
        self._found = Found()
        self._pace = Pace(MAX_SHARE, MIN_INTERVAL_S)
        self._root: Process | None = None

    def find(self) -> Found:
        """Return the processes. They are searched only if the last search is long enough ago."""
        now_s = time.monotonic()
        if self._pace.is_due(now_s):
            with self._pace.measuring(now_s):
                self._found = self._scan()
        return self._found

    def _scan(self) -> Found:
        found = (self._system.process(pid) for pid in self._system.pids())
        everything = {process.pid: process for process in found if process is not None}
        family = _Family(everything, self._own_pid)
        roots, problem = self._roots(family)
        target = family.with_descendants(roots, stop_at=set())
        if self._configuration.pid is not None and roots:
            # A process whose parent has ended is no descendant, but it is still in the session of the managed target.
            session = {pid for pid, process in everything.items() if process.session == self._configuration.pid}
            target |= family.with_descendants(session, stop_at=set())
        result = Found(target_problem=problem)
        lines = {pid: self._system.command_line(pid) for pid in target}
        sources = self._configuration.processes
        seeds = [self._seeds(source, lines, result) & everything.keys() for source in sources]
        for source, own in zip(sources, seeds, strict=True):
            others = {
                pid
                for other, theirs in zip(sources, seeds, strict=True)
                if other is not source and not _is_whole(other)
                for pid in theirs
            }
            members = target if _is_whole(source) else family.with_descendants(own, stop_at=others - own)
            result.parts.setdefault(source.resource, {}).update({pid: everything[pid] for pid in members})
        return result

    def _roots(self, family: _Family) -> tuple[set[int], str]:
        """Return the processes from which the target's tree starts, and why there is none."""
        if (pid := self._configuration.pid) is not None:
            root = family.everything.get(pid)
            self._root = self._root or root
            # The id can be reused after the end of the target.
            is_there = root is not None and root.is_same(self._root)
            return ({pid}, "") if is_there else (set(), "the process of the target has ended")
        if (port := self._configuration.port) is None:
            return set(), ""
        listeners, problem = self._listeners(port)
        return {self._supervisor(pid, family) for pid in listeners}, problem

    def _listeners(self, port: int) -> tuple[set[int], str]:
        """Return the processes that listen on a port, or why there is none."""
        listening = self._system.listening(port)
        if listening.is_hidden:
            return set(), f"the process that listens on port {port} belongs to another user or runs in a container"
        if not listening.pids:
            return set(), f"no process of this machine listens on port {port}"
        for pid in listening.pids:
            program = self._system.command_line(pid).partition(" ")[0].rpartition("/")[2].rstrip(":")
            if program in FORWARDERS:
                return set(), f"{program} forwards port {port} to a process that is not visible from here"
        return set(listening.pids), ""

    def _supervisor(self, pid: int, family: _Family) -> int:
        """Return the process that has started this one and others of the same service, or else the process itself.

        Shells, service managers and everything that has started this sampler are not part of the target.
        """
        everything, cgroup = family.everything, self._system.cgroup(pid)
        seen: set[int] = set()  # an id that is reused during the scan can make a process its own ancestor
        while cgroup is not None and pid not in seen:
            seen.add(pid)
            parent = everything.get(everything[pid].parent) if pid in everything else None
            if parent is None or parent.pid in family.own or parent.pid == 1:
                break
            is_shell = parent.has_terminal and parent.session == parent.pid
            if is_shell or parent.user != everything[pid].user or self._system.cgroup(parent.pid) != cgroup:
                break
            pid = parent.pid
        return pid

    def _seeds(self, source: ProcessSource, lines: Mapping[int, str], result: Found) -> set[int]:
        """Return the processes that the settings of a part name."""
        if source.command is not None:
            pattern = re.compile(source.command)
            found = {pid for pid, line in lines.items() if pattern.search(line)}
            searched = f"its command matches none of the target's processes ({len(lines)} searched)"
            problem = result.target_problem or f"{searched}; correct command, or set port or pid_file instead"
        elif source.port is not None:
            found, problem = self._listeners(source.port)
        elif source.pid_file is not None:
            found = _pid_in(Path(source.pid_file))
            problem = (
                f"{source.pid_file} contains no process id"
                if not found
                else f"the process in {source.pid_file} has ended"
            )
            found = {pid for pid in found if self._system.process(pid) is not None}
        else:
            found, problem = set(lines), result.target_problem
        if not found:
            result.problems[source.resource] = problem
        return found


class _Family:
    """All processes, and which of them have started the sampler: these belong to the load generator."""

    def __init__(self, everything: Mapping[int, Process], own_pid: int) -> None:
        self.everything = everything
        self.own: set[int] = set()
        pid = own_pid
        while pid in everything and pid not in self.own:
            self.own.add(pid)
            pid = everything[pid].parent
        self._children: dict[int, list[int]] = {}
        for process in everything.values():
            self._children.setdefault(process.parent, []).append(process.pid)

    def with_descendants(self, pids: Iterable[int], stop_at: set[int]) -> set[int]:
        """Return these processes and their descendants, without the processes in `stop_at` and their descendants."""
        found: set[int] = set()
        rest = [pid for pid in pids if pid in self.everything]
        while rest:
            pid = rest.pop()
            if pid not in found and pid not in stop_at:
                found.add(pid)
                rest += (child for child in self._children.get(pid, ()) if child not in self.own)
        return found


def _is_whole(source: ProcessSource) -> bool:
    return source.command is None and source.port is None and source.pid_file is None


def _pid_in(path: Path) -> set[int]:
    """Return the process id in a file. Empty if the file does not exist or contains something else."""
    try:
        if not path.is_file():
            return set()
        with path.open("rb") as file:
            first = file.read(20).split(b"\n", 1)[0].strip()
    except OSError:
        return set()
    return {int(first)} if first.isdigit() and len(first) < 10 else set()


def names_of(sources: Sequence[ProcessSource]) -> list[str]:
    """Return the names of the parts, each once."""
    return list(dict.fromkeys(source.resource for source in sources))
