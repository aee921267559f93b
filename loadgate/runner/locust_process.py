"""Locust as a child process of `loadgate run`: started, watched, shown, and ended."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from loadgate.live.channel import LIVE_VARIABLE, StateReader
from loadgate.live.display import Display
from loadgate.parent_process import PARENT_VARIABLE
from loadgate.paths import RUN_FOLDER_VARIABLE
from loadgate.report.console import terminal_columns
from loadgate.runner.signals import Signals
from loadgate.runner.target import ManagedTarget

POLL_S = 0.1
AFTER_DEATH_S = 3.0
"""How long the load goes on after the managed target has died, so that the record shows what its clients saw."""

_READ_BYTES = 65_536


def run_locust(
    command: Sequence[str], folder: Path, target: ManagedTarget | None, signals: Signals, display: Display
) -> int:
    """Run Locust, whose run leaves its files in `folder`, to its end; return its exit code.

    A target that dies ends it a little later.
    """
    started, tell_started = os.pipe()
    states, tell_states = os.pipe()
    os.set_blocking(started, False)
    variables = {
        RUN_FOLDER_VARIABLE: str(folder),
        LIVE_VARIABLE: str(tell_states),
        PARENT_VARIABLE: f"{os.getpid()} {tell_started}",
    }
    if display.draws:
        variables |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        # It writes to a pipe.
        if (columns := terminal_columns(os.environ)) is not None:
            variables["COLUMNS"] = str(columns)
    # A session of its own, so that a Ctrl-C in the terminal comes once and through us.
    child = subprocess.Popen(
        command,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if display.draws else None,
        stderr=subprocess.PIPE if display.draws and sys.stderr.isatty() else None,
        start_new_session=True,
        pass_fds=(tell_started, tell_states),
    )
    os.close(tell_started)
    os.close(tell_states)
    relays = [_Relay(stream, display) for stream in (child.stdout, child.stderr) if stream is not None]
    try:
        return _Watch(child, target, started, states, relays, signals, display).until_end()
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
    """Passes the lines that the child writes on to the display, which may be drawing on the terminal."""

    def __init__(self, stream: IO[bytes], display: Display) -> None:
        os.set_blocking(stream.fileno(), False)
        self.stream = stream
        self._display = display
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    def pass_on(self) -> None:
        """Pass on the whole lines that have come."""
        while data := self._read():
            lines, newline, self._line = (self._line + self._decoder.decode(data)).rpartition("\n")
            if newline:
                self._display.say(lines + newline)

    def finish(self) -> None:
        """Pass on what is left when the child has ended; a grandchild may hold the other end open."""
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
class _Watch:
    """What is looked at while Locust runs. `started` brings a byte once load is made, `states` how the run goes."""

    child: subprocess.Popen[bytes]
    target: ManagedTarget | None
    started: int
    states: int
    relays: Sequence[_Relay]
    signals: Signals
    display: Display

    def until_end(self) -> int:
        """Wait for Locust's end, pass signals on, and end it a little after a target that dies."""
        end_at = float("inf")
        announced = makes_load = False
        reader = StateReader(self.states)
        while self.child.poll() is None:
            self._wait()
            for relay in self.relays:
                relay.pass_on()
            if (state := reader.latest()) is not None:
                self.display.show(state)
            self.display.tick()
            makes_load = makes_load or self._has_started()
            if makes_load:
                self.signals.send_on(self.child)
            elif self.signals.any():
                self.child.kill()  # it is still being loaded; there is nothing that it could write down
                return self.child.wait()
            if self.target is not None and not announced and (how := self.target.died()):
                self.display.say(f"{how}\n")
                announced, end_at = True, time.monotonic() + AFTER_DEATH_S
            if time.monotonic() >= end_at:
                self.child.send_signal(signal.SIGINT)
                end_at = float("inf")
        return self.child.wait()

    def _wait(self) -> None:
        """Wait a moment, for less where the child writes something; it may be its end that is waited for."""
        if not self.relays:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(POLL_S)
            return
        open_streams = [relay.stream for relay in self.relays]
        ready, _, _ = select.select(open_streams, [], [], POLL_S)
        if ready:
            # A stream that the child has closed is always ready.
            time.sleep(POLL_S / 10)

    def _has_started(self) -> bool:
        """Whether Locust has said, by a byte, that it begins to make load."""
        try:
            return bool(os.read(self.started, 1))
        except BlockingIOError:
            return False
