"""Run Locust as a child process: start it, relay its output and signals, and stop it."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from loadgate.live.channel import LIVE_VARIABLE, StateReader
from loadgate.live.display import Display
from loadgate.parent_process import PARENT_VARIABLE
from loadgate.paths import COMMAND_VARIABLE, RUN_FOLDER_VARIABLE, TARGET_PID_VARIABLE
from loadgate.runner.signals import Signals
from loadgate.runner.target import ManagedTarget
from loadgate.terminal import COLOUR_VARIABLE, terminal_columns

POLL_S = 0.1
AFTER_CRASH_S = 3.0
"""Time for which the load continues after the managed target has ended, so that the report shows the failures."""

_READ_BYTES = 65_536


def run_locust(
    command: Sequence[str],
    folder: Path,
    target: ManagedTarget | None,
    signals: Signals,
    display: Display,
    *,
    current: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run Locust, which writes the artefacts to `folder`, and return its exit code.

    `current` is its current folder, if it is not that of this process, and `variables` are added to its environment.
    If the target ends, Locust is stopped AFTER_CRASH_S later.
    """
    started, started_writer = os.pipe()
    states, states_writer = os.pipe()
    os.set_blocking(started, False)
    environment = (
        os.environ
        | {COMMAND_VARIABLE: ""}
        | dict(variables or {})
        | {
            RUN_FOLDER_VARIABLE: str(folder),
            LIVE_VARIABLE: str(states_writer),
            PARENT_VARIABLE: f"{os.getpid()} {started_writer}",
            # Empty without a managed target, because an outer run may have set it.
            TARGET_PID_VARIABLE: str(target.pid) if target is not None else "",
        }
    )
    if display.takes_output:
        environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        # Locust writes to a pipe, so it cannot find the width of the terminal itself.
        if (columns := terminal_columns(os.environ)) is not None:
            environment["COLUMNS"] = str(columns)
        if display.passes_on_colours:
            environment[COLOUR_VARIABLE] = "1"
    # In its own session, Locust gets Ctrl-C only from this process, and not a second time from the terminal.
    child = subprocess.Popen(
        command,
        cwd=current,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if display.takes_output else None,
        stderr=subprocess.PIPE if display.takes_errors else None,
        start_new_session=True,
        pass_fds=(started_writer, states_writer),
    )
    os.close(started_writer)
    os.close(states_writer)
    relays = [_Relay(stream, display) for stream in (child.stdout, child.stderr) if stream is not None]
    try:
        return _Supervisor(child, target, started, states, relays, signals, display).until_end()
    finally:
        os.close(started)
        os.close(states)
        if child.poll() is None:
            child.kill()
            child.wait()
        display.close()
        for relay in relays:
            relay.finish()


class _Relay:
    """Passes the lines of the child's output to the display, because the display may draw on the same terminal."""

    def __init__(self, stream: IO[bytes], display: Display) -> None:
        os.set_blocking(stream.fileno(), False)
        self.stream = stream
        self._display = display
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    def pass_on(self) -> None:
        """Pass on all complete lines."""
        while data := self._read():
            lines, newline, self._line = (self._line + self._decoder.decode(data)).rpartition("\n")
            if newline:
                self._display.say(lines + newline)

    def finish(self) -> None:
        """Pass on the rest after the child has ended. Do not wait for the end: a grandchild can keep the pipe open."""
        self.pass_on()
        if self._line:
            self._display.say(f"{self._line}\n")
        self.stream.close()

    def _read(self) -> bytes:
        try:
            return os.read(self.stream.fileno(), _READ_BYTES)
        except BlockingIOError:
            return b""


@dataclass(frozen=True, slots=True)
class _Supervisor:
    """The supervision of Locust. The pipe `started` gets a byte when the load starts; `states` gets the live states."""

    child: subprocess.Popen[bytes]
    target: ManagedTarget | None
    started: int
    states: int
    relays: Sequence[_Relay]
    signals: Signals
    display: Display

    def until_end(self) -> int:
        """Wait for the end of Locust, relay signals, and stop it AFTER_CRASH_S after the end of the target."""
        end_at = float("inf")
        announced = load_started = False
        reader = StateReader(self.states)
        while self.child.poll() is None:
            self._wait()
            for relay in self.relays:
                relay.pass_on()
            if (state := reader.latest()) is not None:
                self.display.show(state)
            self.display.tick()
            load_started = load_started or self._has_started()
            if load_started:
                self.signals.relay(self.child)
            elif self.signals.any():
                self.child.kill()  # Locust is still importing, so there are no results to write
                return self.child.wait()
            if self.target is not None and not announced and (how := self.target.ended()):
                self.display.say(f"{how}\n")
                announced, end_at = True, time.monotonic() + AFTER_CRASH_S
            if time.monotonic() >= end_at:
                self.child.send_signal(signal.SIGINT)
                end_at = float("inf")
        return self.child.wait()

    def _wait(self) -> None:
        """Wait for at most POLL_S, or until the child ends or writes."""
        if not self.relays:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(POLL_S)
            return
        open_streams = [relay.stream for relay in self.relays]
        ready, _, _ = select.select(open_streams, [], [], POLL_S)
        if ready:
            # A stream that the child has closed is always ready. The pause prevents a busy loop.
            time.sleep(POLL_S / 10)

    def _has_started(self) -> bool:
        """Return whether Locust has reported the start of the load."""
        try:
            return bool(os.read(self.started, 1))
        except BlockingIOError:
            return False
