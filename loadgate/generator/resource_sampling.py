"""Run the sampler of the target's resources during a run, and read its values into the record of the run."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.monkey import get_original
from gevent.os import nb_read

from loadgate.generator.sampled_target import sampled_target
from loadgate.project import Project
from loadgate.recorder.errors import shorten
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from loadgate.units import duration

COLLECT_S = 10.0
"""Time in which the target collects garbage."""

LAST_SAMPLE_S = 4.0
"""Time for the last sample. The sampler waits at most 2 s for a slow target."""

logger = logging.getLogger(__name__)

_READ_BYTES = 65_536

_close_now = get_original("os", "close")
"""gevent's own `os.close` takes effect in a later turn of the event loop, in case a greenlet reads from it."""


class ResourceSampling:
    """The sampler of one run. If it does not start or ends early, the record has a note, and the run continues."""

    def __init__(self, project: Project, hosts: Sequence[str]) -> None:
        """Start the sampler, unless there is nothing to measure."""
        self.record = ResourceRecord(order=[entry.name for entry in project.resource])
        self._pid: int | None = None
        self._is_started = False
        self._commands = -1
        self._is_ending = False
        self._collected = Event()
        self._unread = ""
        self._columns: dict[tuple[str, ...], ResourceColumn] = {}
        self._reader = gevent.Greenlet(self._read)
        configuration, notes = sampled_target(project, hosts)
        self.record.notes += notes
        self._collects = configuration.collect is not None
        if configuration.processes or configuration.metrics:
            try:
                self._start(configuration.to_json())
            except OSError as error:
                self.record.notes.append(f"the sampler could not start: {error.strerror or error}")

    def _start(self, configuration: str) -> None:
        commands, self._commands = os.pipe()
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        try:
            # Unlike a fork, this does not delay the event loop by the time that copying the page tables takes.
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-m", "loadgate.sampler", str(os.getpid())],
                os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, _import_paths()))},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, commands, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
            )
        except OSError:
            _close_now(self._commands)
            _close_now(self._output)
            raise
        finally:
            _close_now(commands)
            _close_now(output)
        self._is_started = True
        self._reader.start()
        self._send(configuration)

    def collect(self) -> None:
        """If the target can collect garbage, wait until it has done so and its memory was measured."""
        if not self._is_started or self._reader.dead or not self._collects:
            return
        self._collected.clear()
        self._send("collect")
        if not self._collected.wait(COLLECT_S):
            self.record.notes.append(f"the target did not collect garbage within {duration(COLLECT_S)}")

    def finish(self, *, is_interrupted: bool) -> None:
        """Take a last sample, and stop the sampler. An interrupted run does not wait for the collection of garbage."""
        if not self._is_started:
            return
        if not is_interrupted:
            self.collect()
        self._is_started, self._is_ending = False, True
        os.close(self._commands)
        self._reader.join(LAST_SAMPLE_S)
        if not self._reader.dead:
            self.record.notes.append(f"the sampler did not end within {duration(LAST_SAMPLE_S)}")
            self._reader.kill()
            self._kill()
        os.close(self._output)
        self._wait()

    def _kill(self) -> None:
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)

    def _wait(self) -> int | None:
        """Wait for the end of the sampler, and return its exit status. `None` if it has been waited for before."""
        pid, self._pid = self._pid, None
        return os.waitpid(pid, 0)[1] if pid is not None else None

    def _send(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # the reader notes that the sampler has ended
            os.write(self._commands, line.encode() + b"\n")

    def _read(self) -> None:
        """Read lines until the sampler has ended."""
        rest = b""
        while data := nb_read(self._output, _READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._take(line)
        self._collected.set()
        if self._unread:
            self.record.notes.append(f"the sampler failed: {self._unread}")
        if not self._is_ending and (status := self._wait()) is not None:
            code = os.waitstatus_to_exitcode(status)
            how = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
            self.record.notes.append(f"the sampler {how} before the end of the run")

    def _take(self, line: bytes) -> None:
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            # The last line of a traceback names the error.
            self._unread = shorten(line.decode("utf-8", "replace").strip()) or self._unread
            return
        if "values" in message:
            values = {self._column(*column): value for *column, value in message["values"]}
            self.record.put(message["second"], values)
        elif "note" in message:
            self.record.notes.append(message["note"])
            if not self._is_ending:
                logger.warning("%s", message["note"])
        elif "cpu_share" in message:
            self.record.sampler_cpu_share = message["cpu_share"]
        elif "done" in message:
            self._collected.set()

    def _column(self, *names: str) -> ResourceColumn:
        known = self._columns.get(names)
        if known is None:
            resource, quantity, kind, unit = names
            known = ResourceColumn(resource, quantity, ColumnKind(kind), ResourceUnit(unit))
            self._columns[names] = known
        return known


def _import_paths() -> list[str]:
    """Return where the sampler finds this package. With -P, modules of the current folder do not replace its own."""
    return [os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2])]
