"""Measure the processes of each part of the target once a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from loadgate.sampler.configuration import Configuration
from loadgate.sampler.flow import Flow
from loadgate.sampler.pace import Pace
from loadgate.sampler.processes.cgroups import Cgroups
from loadgate.sampler.processes.cpu import cpu_growth, is_young
from loadgate.sampler.processes.finding import Finder, Found, names_of
from loadgate.sampler.processes.system import Process, System
from loadgate.sampler.readings import BYTES, COUNT, FLOW, LEVEL, SECONDS, Reading

PSS_INTERVAL_S = 60.0
"""The minimum time between two readings of the PSS of a part. A reading stalls a process that allocates memory, so the
parts are read one at a time."""

PSS_MAX_SHARE = 0.01
"""The share of a core that the readings of the PSS of a part use at most."""

Note = Callable[[str], None]
Values = Iterator[tuple[int, Reading]]


class ProcessSampler:
    """The processes of all parts."""

    def __init__(
        self, configuration: Configuration, system: System, own_pid: int, note: Note, cgroups: Cgroups | None = None
    ) -> None:
        self._system = system
        self._finder = Finder(configuration, system, own_pid)
        self._note = note
        cgroups = cgroups or Cgroups()
        self._parts = [_Part(name, system, cgroups, note) for name in names_of(configuration.processes)]
        self._before: dict[int, Process] = {}
        self._last_s: float | None = None
        self._pace = Pace()
        self._pss_due = [(Pace(PSS_MAX_SHARE, PSS_INTERVAL_S), part) for part in self._parts]

    def sample(self, now_s: float, *, is_last: bool = False) -> Values:
        """Return (epoch second, value) of everything that is known at `now_s` (epoch seconds).

        If the last reading took long, there are no values until it is due again or the last one.
        """
        if not is_last and not self._pace.is_due(now_s):
            self._note("the processes are not read every second, because that would take too much CPU time")
            return
        found = self._finder.find()
        with self._pace.measuring(now_s):
            yield from self._read(found, now_s)
        yield from self._pss(now_s)

    def _read(self, found: Found, now_s: float) -> Values:
        states: dict[int, Process] = {}
        for pid, scanned in ((pid, process) for part in found.parts.values() for pid, process in part.items()):
            if pid not in states and (state := self._system.process(pid)) is not None and state.is_same(scanned):
                states[pid] = state
        gone = [process for pid, process in self._before.items() if not process.is_same(states.get(pid))]
        for part in self._parts:
            members = [states[pid] for pid in found.parts.get(part.name, ()) if pid in states]
            part.problem = found.problems.get(part.name, "")
            if not members:
                continue
            yield from part.levels(int(now_s), members)
            is_new = not any(is_young(one) or one.is_same(self._before.get(one.pid)) for one in members)
            if self._last_s is None or is_new:
                part.begin(members[0].pid)
                continue
            grown = cpu_growth(members, self._before, gone, now_s - self._last_s)
            yield from part.flows(self._last_s, now_s, grown, members[0].pid)
            yield from part.waits(self._last_s, now_s)
        self._before, self._last_s = states, now_s

    def _pss(self, now_s: float) -> Values:
        """Read the PSS of the part whose reading has been due for the longest time."""
        for index, (pace, part) in enumerate(self._pss_due):
            if pace.is_due(now_s) and part.pids:
                self._pss_due.append(self._pss_due.pop(index))
                with pace.measuring(now_s):
                    yield from part.pss(int(now_s))
                return

    def memory(self) -> list[tuple[str, float]]:
        """Return (part, memory in bytes) now."""
        found = self._finder.find()
        values = ((part.name, part.memory_bytes([*found.parts.get(part.name, ())])) for part in self._parts)
        return [(name, value) for name, value in values if value]

    def end(self) -> Values:
        """Return the values of the last second, and note which parts were never found."""
        if self._system.memory_note and self._parts:
            self._note(self._system.memory_note)
        problems = {part.problem for part in self._parts if not part.was_found}
        for part in self._parts:
            if not part.was_found and len(problems) > 1:
                self._note(f"no process of {part.name!r} was found: {part.problem}")
            yield from part.end()
        if len(problems) == 1 and "" not in problems:
            missing = [repr(part.name) for part in self._parts if not part.was_found]
            self._note(f"no process of {' and '.join(missing)} was found: {problems.pop()}")

    def forget(self) -> None:
        """Start all differences anew, because the clock was set."""
        self._last_s = None
        for pace in (self._pace, *(pss_pace for pss_pace, _ in self._pss_due)):
            pace.forget()


class _Part:
    """One part of the target."""

    def __init__(self, name: str, system: System, cgroups: Cgroups, note: Note) -> None:
        self.name = name
        self.was_found = False
        self.problem = ""
        self.pids: list[int] = []
        self._system = system
        self._cgroups = cgroups
        self._note = note
        self._cpu = Flow()
        self._waited = Flow()
        self._waited_s: dict[int, float] = {}
        self._throttled = Flow()
        self._throttled_s: float | None = None

    def levels(self, second: int, members: Sequence[Process]) -> Values:
        self.was_found = True
        self.pids = [process.pid for process in members]
        if (memory := self.memory_bytes(self.pids)) is not None:
            yield second, self._level("memory", memory, BYTES)
        yield second, self._level("threads", sum(process.threads for process in members))
        if (files := self._sum(self._system.open_files, "open files")) is not None:
            yield second, self._level("open_files", files)

    def begin(self, pid: int) -> None:
        """Read the state of the cgroup before the first interval."""
        if (path := self._cgroup(pid)) is not None:
            self._throttled_s = self._cgroups.state(path).throttled_s

    def flows(self, start_s: float, end_s: float, cpu_s: float, pid: int) -> Values:
        for second, rate in self._cpu.add(start_s, end_s, cpu_s):
            yield second, self._flow("cpu", rate)
        if (path := self._cgroup(pid)) is None:
            return
        state = self._cgroups.state(path)
        second = int(end_s)
        if state.memory_bytes is not None:
            yield second, self._level("cgroup_memory", state.memory_bytes, BYTES)
        if state.memory_limit_bytes is not None:
            yield second, self._level("cgroup_memory.limit", state.memory_limit_bytes, BYTES)
        if state.cores is not None:
            yield second, self._level("cpu.limit", state.cores, SECONDS)
        if state.throttled_s is not None:
            grown = state.throttled_s - (self._throttled_s if self._throttled_s is not None else state.throttled_s)
            self._throttled_s = state.throttled_s
            for second, rate in self._throttled.add(start_s, end_s, max(0.0, grown)):
                yield second, self._flow("cpu_throttled", rate)

    def waits(self, start_s: float, end_s: float) -> Values:
        """Return the growth of the time in which the threads of the processes waited for a CPU core."""
        before = self._waited_s
        read = {pid: self._system.cpu_wait_s(pid) for pid in self.pids}
        self._waited_s = {pid: waited_s for pid, waited_s in read.items() if waited_s is not None}
        known = [max(0.0, waited_s - before[pid]) for pid, waited_s in self._waited_s.items() if pid in before]
        if known:
            for second, rate in self._waited.add(start_s, end_s, sum(known)):
                yield second, self._flow("cpu_wait.sum", rate)

    def pss(self, second: int) -> Values:
        if (size := self._sum(self._system.pss_bytes, "PSS")) is not None:
            yield second, self._level("pss", size, BYTES)

    def memory_bytes(self, pids: Sequence[int]) -> float | None:
        """Return the sum of the memory of these processes. `None` if none of them exists."""
        sizes = [size for pid in pids if (size := self._system.memory_bytes(pid)) is not None]
        return sum(sizes) if sizes else None

    def end(self) -> Values:
        for second, rate in self._cpu.end():
            yield second, self._flow("cpu", rate)
        for second, rate in self._throttled.end():
            yield second, self._flow("cpu_throttled", rate)
        for second, rate in self._waited.end():
            yield second, self._flow("cpu_wait.sum", rate)

    def _cgroup(self, pid: int) -> str | None:
        return self._system.cgroup(pid) if self._cgroups.exist else None

    def _sum(self, read: Callable[[int], float | None], what: str) -> float | None:
        """Return the sum over the processes. `None`, with a note, if one of them may not be read."""
        try:
            values = [read(pid) for pid in self.pids]
        except PermissionError:
            self._note(f"{what} of {self.name!r} cannot be read, because one of its processes belongs to another user")
            return None
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    def _level(self, quantity: str, value: float, unit: str = COUNT) -> Reading:
        return Reading(self.name, quantity, LEVEL, unit, value)

    def _flow(self, quantity: str, value: float) -> Reading:
        return Reading(self.name, quantity, FLOW, SECONDS, round(value, 6))
