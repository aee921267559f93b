"""Standard output and error streams whose failure does not stop a run."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import TextIO

_STAND_INS = {"✔": "+", "✘": "!", "━": "-", "╸": "-", "╺": "-", "·": "|", "\N{MULTIPLICATION SIGN}": "x"}
"""Replacements for streams without Unicode; other characters become `?`. Each is one character, to keep columns."""

_ERRORS = "loadgate-stand-ins"


class View(io.TextIOWrapper):
    """A standard stream that discards its output after its first failed write."""

    def __init__(self, descriptor: int, stream: TextIO | None, *, tells: bool) -> None:
        """Replace `stream`. With `tells`, a failure is reported on standard error."""
        encoding = getattr(stream, "encoding", None) or "utf-8"
        file = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - open until the process ends
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
        """Flush the buffer."""
        try:
            super().flush()
        except OSError as error:
            self._let_go(error)

    def _let_go(self, error: OSError) -> None:
        # The buffer still holds data, and other code writes to the same descriptor: /dev/null takes both.
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)
        if self._tells:
            reason = error.strerror or error
            print(f"loadgate: standard output cannot be written, the rest is discarded: {reason}", file=sys.stderr)


def use_views(*, tell: bool = True) -> None:
    """Replace this process's standard output and error by views. With `tell`, lost output is reported."""
    codecs.register_error(_ERRORS, _stand_in)
    for descriptor in range(3):
        _open_if_closed(descriptor)
    sys.stderr = View(2, sys.stderr, tells=False)
    sys.stdout = View(1, sys.stdout, tells=tell)


def _open_if_closed(descriptor: int) -> None:
    """Open /dev/null on a closed standard descriptor, so that no other file gets its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # open() returns the lowest free descriptor


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_STAND_INS.get(char, "?") for char in error.object[error.start : error.end]), error.end
