"""A block of lines at the end of a terminal's output that is redrawn in place, below all other output."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import StringIO
from typing import TextIO

from rich.console import Console, RenderableType

MARGIN = 3
"""Free columns on the right, so that an echoed ^C does not wrap to a new line."""

_UP = "\x1b[{}A"
_CLEAR_BELOW = "\r\x1b[J"
_CLEAR_ALL = "\x1b[H\x1b[2J"


class Screen:
    """Draws a block with `show` and prints lines above it with `say`.

    The cursor stays visible at the end of the block, and no terminal mode is changed. The terminal therefore stays
    usable, even if the process is killed.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._make: Callable[[int, int], RenderableType] | None = None
        self._drawn_lines = 0
        self._size = self._terminal_size()

    def show(self, make: Callable[[int, int], RenderableType]) -> None:
        """Draw the block that `make` returns for a number of columns and lines."""
        self._make = make
        self._write(self._erased() + self._block())

    def say(self, text: str) -> None:
        """Write text, which ends with a newline, above the block."""
        self._write(self._erased() + text + self._block())

    def redraw_if_resized(self) -> None:
        """Redraw the block if the size of the terminal has changed."""
        if self._make is not None and self._terminal_size() != self._size:
            self._write(self._erased() + self._block())

    def clear(self) -> None:
        """Remove the block."""
        self._write(self._erased())
        self._make = None

    def _erased(self) -> str:
        """Return the codes that remove the block. After a resize, its wrapping is unknown, so they clear the screen."""
        size, drawn = self._terminal_size(), self._drawn_lines
        was_resized = size != self._size
        self._size, self._drawn_lines = size, 0
        if not drawn:
            return ""
        if was_resized:
            return _CLEAR_ALL
        return (_UP.format(drawn - 1) if drawn > 1 else "") + _CLEAR_BELOW

    def _block(self) -> str:
        if self._make is None:
            return ""
        columns, lines = max(10, self._size[0] - MARGIN), max(4, self._size[1] - 1)
        console = Console(
            file=StringIO(), width=columns, height=lines, force_terminal=True, legacy_windows=False, highlight=False
        )
        with console.capture() as capture:
            console.print(self._make(columns, lines))
        block = capture.get().rstrip("\n").split("\n")[:lines]
        self._drawn_lines = len(block)
        return "\x1b[0m\n".join(block) + "\x1b[0m"

    def _terminal_size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._out.fileno())
        except OSError:
            return 80, 24
        return size.columns or 80, size.lines or 24

    def _write(self, text: str) -> None:
        if text:
            self._out.write(text)
            self._out.flush()
