"""The format of log lines for people: a short local time, colours on a terminal, and no control characters."""

from __future__ import annotations

import os
from datetime import datetime
from http import HTTPStatus
from typing import TextIO

DIM, RED, GREEN, YELLOW, CYAN = "2", "31", "32", "33", "36"
LEVEL_COLOURS = {"warning": YELLOW, "error": RED, "critical": RED}


def shows_colours(stream: TextIO) -> bool:
    """Return whether a stream is a terminal with colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str, colour: str, *, is_coloured: bool) -> str:
    """Return a text in a colour, if there are colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if is_coloured and colour else text


def printable(text: str) -> str:
    """Return a text with escapes instead of control characters, which could change the terminal."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def short_time(at_s: float) -> str:
    """Return the local time of day."""
    return datetime.fromtimestamp(at_s).strftime("%H:%M:%S")  # noqa: DTZ006  # the reader's own time


def access_line(at_s: float, request: str, status: int, duration_ms: float, *, is_coloured: bool) -> str:
    """Return the line of one request, without its end. `request` is its method and path."""
    time = coloured(short_time(at_s), DIM, is_coloured=is_coloured)
    return (
        f"{time} {coloured(str(status), _colour_of(status), is_coloured=is_coloured)} {printable(request)} "
        f"{duration_ms:.1f} ms"
    )


def _colour_of(status: int) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RED
    if status >= HTTPStatus.BAD_REQUEST:
        return YELLOW
    return GREEN if status < HTTPStatus.MULTIPLE_CHOICES else CYAN
