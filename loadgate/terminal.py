"""The width of the terminal, the wrapping of lines, and colours and links in them."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

MIN_COLUMNS = 20
COLUMNS = re.compile(r"[0-9]{1,9}")
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=(?:%|ms\b|s\b|min\b|[kMGT]?B\b|cores\b))")


COLOUR_VARIABLE = "LOADGATE_COLOUR"
"""Set for a process whose output `loadgate run` copies to a terminal with colours."""

_OUTCOME = re.compile(r"^(PASS|FAIL|INCONCLUSIVE)\b|(?<=  )(PASS|FAIL|INCONCLUSIVE)$", re.MULTILINE)
_COLOURS = {"PASS": "\x1b[1;32m", "FAIL": "\x1b[1;31m", "INCONCLUSIVE": "\x1b[1;33m"}
_PLAIN = "\x1b[0m"
_REPORT = re.compile(r"^(report:\s+)(\S.*)$", re.MULTILINE)
_LINK = "\x1b]8;;{address}\x1b\\{text}\x1b]8;;\x1b\\"


def can_draw(out: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether the output is a terminal that can draw and colour, and the environment permits it."""
    is_plain = environment.get("NO_COLOR") or environment.get("CI") or environment.get("TERM", "dumb") == "dumb"
    return out.isatty() and not is_plain


def decorated(text: str, out: TextIO, environment: Mapping[str, str]) -> str:
    """Return a text for an output, with its outcomes in colour and its reports as links if the output can show it.

    Outcomes are at the start of a line, or in the last column of a table. A report is the path of a file after
    `report:` at the start of a line. Decorate a text after it was wrapped, because escape sequences have no width.
    """
    if COLOUR_VARIABLE not in environment and not can_draw(out, environment):
        return text
    linked = _REPORT.sub(_with_link, text)
    return _OUTCOME.sub(lambda found: f"{_COLOURS[found[0]]}{found[0]}{_PLAIN}", linked)


def _with_link(found: re.Match[str]) -> str:
    """Return a report as a hyperlink (OSC 8), or as it is if there is no such file."""
    before, path = found.groups()
    if not Path(path).is_file():
        return found[0]
    return before + _LINK.format(address=Path(path).resolve().as_uri(), text=path)


def terminal_columns(environment: Mapping[str, str]) -> int | None:
    """Return COLUMNS or, if it is not set, the width of standard output. `None` if this is not a terminal."""
    given = environment.get("COLUMNS", "")
    if COLUMNS.fullmatch(given) and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


def wrapped(lines: Iterable[str], columns: int | None) -> list[str]:
    """Wrap lines at the width of the terminal. Continuation lines are indented, and long words are not broken."""
    if columns is None:
        return list(lines)
    width = max(columns, MIN_COLUMNS)
    return [part for line in lines for part in ([line] if len(line) <= width else _parts(line, width))]


def _parts(line: str, width: int) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    # Keep a number and its unit on one line, and never break a path, so that it can be copied.
    kept = NUMBER_AND_UNIT.sub(NO_BREAK_SPACE, line)
    parts = textwrap.wrap(kept, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
    return [part.replace(NO_BREAK_SPACE, " ") for part in parts]
