"""What all commands print: lines, lines of the width of the terminal, and errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from loadgate.exit_codes import ExitCode


def can_show(characters: str) -> bool:
    """Return whether standard output has all these characters."""
    try:
        characters.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def say(text: str) -> None:
    """Print lines. A terminal shows outcomes in colour and reports as links.

    Characters that standard output does not have are escaped.
    """
    from loadgate.terminal import decorated

    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    print(decorated(text, sys.stdout, os.environ).encode(encoding, "backslashreplace").decode(encoding), flush=True)


def say_wrapped(lines: Iterable[str]) -> None:
    """Print lines and wrap them at the width of the terminal."""
    from loadgate.terminal import terminal_columns, wrapped

    if shown := wrapped(lines, terminal_columns(os.environ)):
        say("\n".join(shown))


def say_text(text: str) -> None:
    """Print lines of one text like `say_wrapped`. Without a terminal, as in a CI log, they are not wrapped."""
    say_wrapped(text.split("\n"))


def print_error(message: str, code: ExitCode) -> ExitCode:
    """Print an error on standard error, each line with the name of the command, and return its exit code."""
    for line in message.splitlines():
        print(f"loadgate: {line}", file=sys.stderr)
    return code
