"""Standard output and error as views of a run: what cannot be shown is left out, and costs the run nothing."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import TextIO

_STAND_INS = {"✔": "+", "✘": "!", "━": "-", "╸": "-", "╺": "-", "·": "|", "\N{MULTIPLICATION SIGN}": "x"}
"""For a stream without Unicode; other characters become `?`. One for one, so that columns stay in line."""

_ERRORS = "loadgate-stand-ins"


class View(io.TextIOWrapper):
    """A standard stream that can fail, and from then on takes all that is written to it and shows nothing."""

    def __init__(self, descriptor: int, stream: TextIO | None, *, tells: bool) -> None:
        """`stream` is what the view replaces; `tells` is whether a line on standard error says that it failed."""
        encoding = getattr(stream, "encoding", None) or "utf-8"
        file = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - as long as the process
        by_line = stream is None or any(getattr(stream, name, False) for name in ("line_buffering", "write_through"))
        super().__init__(file, encoding=encoding, errors=_ERRORS, line_buffering=by_line)
        self._descriptor = descriptor
        self._tells = tells

    def write(self, text: str) -> int:
        """Write the text."""
        try:
            return super().write(text)
        except OSError as error:
            self._let_go(error)
            return len(text)

    def flush(self) -> None:
        """Hand over what has been written."""
        try:
            super().flush()
        except OSError as error:
            self._let_go(error)

    def _let_go(self, error: OSError) -> None:
        # What is still in the buffer, and whatever else the process writes there, goes nowhere from now on.
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)
        if self._tells:
            reason = error.strerror or error
            print(f"loadgate: standard output cannot be written, nothing more is shown: {reason}", file=sys.stderr)


def use_views(*, tell: bool = True) -> None:
    """Make views of this process's standard output and error; `tell` is whether to say so when output is lost."""
    codecs.register_error(_ERRORS, _stand_in)
    for descriptor in range(3):
        _open_if_closed(descriptor)
    sys.stderr = View(2, sys.stderr, tells=False)
    sys.stdout = View(1, sys.stdout, tells=tell)


def _open_if_closed(descriptor: int) -> None:
    """Keep the next file that is opened from becoming a standard stream, ours or a child's."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number, which is this one


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_STAND_INS.get(char, "?") for char in error.object[error.start : error.end]), error.end
