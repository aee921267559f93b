"""Standard output and error streams whose failure does not stop a run."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import TextIO

_REPLACEMENTS = {"✔": "+", "✘": "!", "━": "-", "╸": "-", "╺": "-", "·": "|", "\N{MULTIPLICATION SIGN}": "x"}
"""Replacements for streams without Unicode; other characters become `?`. Each is one character, to align columns."""

_ERRORS = "loadgate-replacements"


class SafeStream(io.TextIOWrapper):
    """A standard stream that discards its output after its first failed write."""

    def __init__(self, descriptor: int, stream: TextIO | None, *, reports_loss: bool) -> None:
        """Replace `stream`. With `reports_loss`, a failure is reported on standard error."""
        encoding = getattr(stream, "encoding", None) or "utf-8"
        file = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - open until the process ends
        by_line = stream is None or any(getattr(stream, name, False) for name in ("line_buffering", "write_through"))
        super().__init__(file, encoding=encoding, errors=_ERRORS, line_buffering=by_line)
        self._descriptor = descriptor
        self._reports_loss = reports_loss

    def write(self, text: str) -> int:
        """Write the text."""
        try:
            return super().write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        """Flush the buffer."""
        try:
            super().flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        # The buffer still contains data, and other code writes to the same descriptor. /dev/null accepts both.
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)
        if self._reports_loss:
            reason = error.strerror or error
            print(f"loadgate: standard output cannot be written, the rest is discarded: {reason}", file=sys.stderr)


def use_safe_streams(*, reports_loss: bool = True) -> None:
    """Replace this process's standard output and error. With `reports_loss`, lost output is reported."""
    codecs.register_error(_ERRORS, _replace_character)
    for descriptor in range(3):
        _open_if_closed(descriptor)
    sys.stderr = SafeStream(2, sys.stderr, reports_loss=False)
    sys.stdout = SafeStream(1, sys.stdout, reports_loss=reports_loss)


def _open_if_closed(descriptor: int) -> None:
    """Open /dev/null on a closed standard descriptor, so that no other file gets its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # open() returns the lowest free descriptor


def _replace_character(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_REPLACEMENTS.get(char, "?") for char in error.object[error.start : error.end]), error.end
