"""Run the sampler of the target's resources during a run, and read its values into the record of the run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.os import nb_read

from loadgate.generator.sampled_target import sampled_target
from loadgate.project import Project
from loadgate.recorder.errors import shorten
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit

COLLECT_S = 10.0
"""Time in which the target collects garbage."""

LAST_SAMPLE_S = 4.0
"""Time for the last sample. The sampler waits at most 2 s for a slow target."""

_READ_BYTES = 65_536


class ResourceSampling:
    """The sampler of one run. If it does not start or ends early, the record has a note, and the run continues."""

    def __init__(self, project: Project, hosts: Sequence[str]) -> None:
        """Start the sampler, unless there is nothing to measure."""
        self.record = ResourceRecord()
        self._process: subprocess.Popen[bytes] | None = None
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
            # In its own session, it does not get the Ctrl-C of the terminal, so it measures until the load has ended.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "loadgate.sampler", str(os.getpid())],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, _import_paths()))},
                stdin=commands,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            os.close(self._commands)
            os.close(self._output)
            raise
        finally:
            os.close(commands)
            os.close(output)
        self._reader.start()
        self._send(configuration)

    def collect(self) -> None:
        """If the target can collect garbage, wait until it has done so and its memory was measured."""
        if self._process is None or not self._collects:
            return
        self._collected.clear()
        self._send("collect")
        if not self._collected.wait(COLLECT_S):
            self.record.notes.append(f"the target did not collect garbage within {COLLECT_S:.0f} s")

    def finish(self) -> None:
        """Take a last sample, and stop the sampler."""
        if self._process is None:
            return
        self.collect()
        self._is_ending = True
        os.close(self._commands)
        self._reader.join(LAST_SAMPLE_S)
        if not self._reader.dead:
            self.record.notes.append(f"the sampler did not end within {LAST_SAMPLE_S:.0f} s")
            self._reader.kill()
        os.close(self._output)
        self._stop(self._process)
        self._process = None

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

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
        if not self._is_ending and self._process is not None:
            self.record.notes.append(f"the sampler {_end_of(self._process)} before the end of the run")

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


def _end_of(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return "closed its output"
    return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
