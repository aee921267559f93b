"""A terminal for tests: a pty of a given size, and what stands on its screen after all that was written to it."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

# The first process of the terminal ignores the hang-up and waits, as make does.
_LEADER = 'trap "" HUP; trap - HUP; "$@" & child=$!; trap "" HUP; wait $child'
_SEQUENCE = re.compile(r"\x1b\[([?]?)([0-9;]*)([A-Za-z])")
_LINK = re.compile(r"\x1b\]8;;[^\x1b]*\x1b\\")
_COMPLETE = re.compile(f"{_SEQUENCE.pattern}|{_LINK.pattern}")


def behind_make(command: Sequence[str]) -> list[str]:
    """The command as it stands behind `make` on a terminal, which tells make alone of its end."""
    return ["/bin/sh", "-c", _LEADER, "sh", *command]


class Screen:
    """What a terminal shows: text, line ends, cursor up, clearing below and all; colours and links are left out.

    `scrolled` are the lines that have left it at the top. Any other sequence is an error, so that a test cannot pass
    by not looking.
    """

    def __init__(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.rows: list[list[str]] = [[]]
        self.scrolled: list[str] = []
        self.row = self.column = 0
        self._wraps = False

    def text(self) -> list[str]:
        """The rows on the screen, without what is empty at their ends."""
        return ["".join(row).rstrip() for row in self.rows]

    def everything(self) -> str:
        """What has left the screen at its top, and what is on it."""
        return "\n".join([*self.scrolled, *self.text()])

    def type_line(self, text: str) -> None:
        """Type a text and the Enter key."""
        os.write(self._master, f"{text}\n".encode())

    def resize(self, columns: int, lines: int) -> None:
        """Cut the rows, as a simple terminal does, and keep the last ones."""
        self.columns, self.lines = columns, lines
        self.rows = [row[:columns] for row in self.rows]
        while len(self.rows) > lines:
            self._scroll()
        self.column = min(self.column, columns - 1)

    def feed(self, text: str) -> None:
        """Take what was written."""
        at = 0
        while at < len(text):
            if (link := _LINK.match(text, at)) is not None:
                at = link.end()
                continue
            if text[at] == "\x1b":
                match = _SEQUENCE.match(text, at)
                assert match, f"an unknown sequence: {text[at : at + 12]!r}"
                self._sequence(match[2], match[3])
                at = match.end()
                continue
            self._put(text[at])
            at += 1

    def _sequence(self, numbers: str, letter: str) -> None:
        if letter == "A":
            self.row = max(0, self.row - int(numbers or 1))
        elif letter == "H":
            assert not numbers
            self.row = self.column = 0
        elif letter == "J" and numbers == "2":
            self.rows = [[] for _ in self.rows]
        elif letter == "J":
            assert not numbers
            del self.rows[self.row + 1 :]
            del self.rows[self.row][self.column :]
        else:
            assert letter == "m", f"an unknown sequence: {numbers}{letter}"
        self._wraps = False

    def _put(self, char: str) -> None:
        if char == "\r":
            self.column, self._wraps = 0, False
        elif char == "\n":
            self._next_row()
        elif char >= " ":
            if self._wraps:
                self._next_row()
                self.column = 0
            row = self.rows[self.row]
            row.extend(" " * (self.column + 1 - len(row)))
            row[self.column] = char
            assert unicodedata.east_asian_width(char) not in {"W", "F"}, "wide characters are not known here"
            if self.column == self.columns - 1:
                self._wraps = True
            else:
                self.column += 1

    def _next_row(self) -> None:
        self._wraps = False
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])
        if len(self.rows) > self.lines:
            self._scroll()

    def _scroll(self) -> None:
        self.scrolled.append("".join(self.rows.pop(0)).rstrip())
        self.row = max(0, self.row - 1)


class Terminal:
    """A command on a terminal of its own; its screen is kept up to date."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        columns: int = 80,
        lines: int = 24,
    ) -> None:
        self._master, slave = pty.openpty()
        self._lock = threading.Lock()
        self.screen = Screen(columns, lines)
        self.raw = ""
        _set_size(slave, columns, lines)
        self._before = termios.tcgetattr(slave)
        self._slave = slave
        self._closed = False
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no thread is there yet
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.close()

    def close(self) -> None:
        """Close the window: whoever is left on the terminal gets SIGHUP, and an error for what it writes."""
        if not self._closed:
            self._closed = True
            os.close(self._slave)
            self._reader.join(10)
            os.close(self._master)

    def rows(self) -> list[str]:
        """What is on the screen now."""
        with self._lock:
            return self.screen.text()

    def everything(self) -> str:
        """What was ever above the end of the screen."""
        with self._lock:
            return self.screen.everything()

    def press_ctrl_c(self) -> None:
        """Type Ctrl-C."""
        os.write(self._master, b"\x03")

    def type_line(self, text: str) -> None:
        """Type a text and the Enter key."""
        os.write(self._master, f"{text}\n".encode())

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as a window that is dragged does."""
        with self._lock:
            self.screen.resize(columns, lines)
            _set_size(self._slave, columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, condition: Callable[[list[str]], object], what: str, within_s: float = 60) -> list[str]:
        """Return the rows once they fulfil the condition."""
        deadline = time.monotonic() + within_s
        while not condition(rows := self.rows()):
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}; the screen:\n" + "\n".join(rows)
            time.sleep(0.02)
        return rows

    def wait(self, within_s: float = 60) -> int:
        """Wait for the command's end, and until all that it wrote is on the screen; return its exit code."""
        code = self.process.wait(within_s)
        deadline = time.monotonic() + 10
        while fcntl.ioctl(self._master, termios.FIONREAD, b"\0\0\0\0") != b"\0\0\0\0":
            assert time.monotonic() < deadline, "the terminal is still being read"
            time.sleep(0.02)
        time.sleep(0.05)
        return code

    def modes_changed(self) -> bool:
        """Whether the terminal is in another mode than it was."""
        return termios.tcgetattr(self._slave) != self._before

    def _read(self) -> None:
        rest = ""
        # A read that waits would keep the terminal open.
        while not self._closed:
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self._master, 65_536)
            except OSError as error:
                if error.errno in {errno.EIO, errno.EBADF}:
                    return
                raise
            if not data:
                return
            with self._lock:
                # A sequence or character may come in two parts.
                text = rest + data.decode("utf-8", "surrogateescape")
                complete = [found.end() for found in _COMPLETE.finditer(text)]
                cut = text.find("\x1b", complete[-1] if complete else 0)
                rest = text[cut:] if cut >= 0 else ""
                self.raw += data.decode("utf-8", "replace")
                self.screen.feed(text.removesuffix(rest) if rest else text)


def _set_size(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
