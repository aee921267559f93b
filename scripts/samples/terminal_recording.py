"""Record what a command writes to a terminal, as an asciicast (version 2), and replay it as frames."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fcntl import ioctl
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple, Self

import pyte

COLUMNS, LINES = 80, 36
SETTLED_S = 0.1
"""A screen that stays for less is a frame that is still being written."""


class Span(NamedTuple):
    """Text of one colour. `column` is that of its first character."""

    column: int
    text: str
    colour: str
    bold: bool


Row = tuple[Span, ...]


_LINK = re.compile(r"\x1b]8;;.*?\x1b\\")
"""The start or end of a link (OSC 8). It contains the folder of the machine, and a drawing does not show it."""


class Frame(NamedTuple):
    """The rows of a screen, and for how many seconds it stood."""

    rows: tuple[Row, ...]
    seconds: float


@dataclass(frozen=True)
class Recording:
    """The command, and each piece that it wrote with its time in seconds since the start."""

    command: str
    events: list[tuple[float, str]]

    def write(self, path: Path) -> None:
        """Write the recording as an asciicast."""
        head = {"version": 2, "width": COLUMNS, "height": LINES, "command": self.command}
        lines = [head, *([round(at, 3), "o", text] for at, text in self.events)]
        path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read an asciicast."""
        head, *events = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return cls(head["command"], [(at, text) for at, kind, text in events if kind == "o"])

    def frames(self) -> Iterator[Frame]:
        """Yield each screen that stood for a while. The last one stands for no time."""
        screen = pyte.Screen(COLUMNS, LINES)
        stream = pyte.Stream(screen)
        stream.feed(f"$ {self.command}\r\n")
        since = 0.0
        for (at, text), (until, _) in pairwise([*self.events, (float("inf"), "")]):
            stream.feed(text)
            if until - at >= SETTLED_S:
                yield Frame(_rows(screen), 0 if until == float("inf") else until - since)
                since = until


def record(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    sign: str,
    meanwhile: Callable[[], None] = lambda: None,
) -> Recording:
    """Run a command on a terminal until it ends. `meanwhile` is called in a thread when it has written `sign`."""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**environment, "TERM": "xterm-256color"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    start, events = time.monotonic(), []
    acting: threading.Thread | None = None
    while data := _read(master):
        events.append((time.monotonic() - start, _LINK.sub("", decoder.decode(data))))
        if acting is None and sign in "".join(text for _, text in events):
            acting = threading.Thread(target=meanwhile)
            acting.start()
    os.close(master)
    process.wait()
    if acting is not None:
        acting.join()
    return Recording(" ".join(command), events)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports the end of a terminal as an error
        return b""


def _rows(screen: pyte.Screen) -> tuple[Row, ...]:
    rows = []
    for line in range(LINES):
        cells = [(column, screen.buffer[line][column]) for column in range(COLUMNS)]
        spans = []
        for (colour, bold), group in groupby(cells, key=lambda cell: (cell[1].fg, cell[1].bold)):
            part = list(group)
            text = "".join(cell.data for _, cell in part)
            if text.strip():
                column = part[0][0] + len(text) - len(text.lstrip())
                spans.append(Span(column, text.strip(), colour, bold))
        rows.append(tuple(spans))
    return tuple(rows)
