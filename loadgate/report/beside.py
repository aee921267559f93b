"""The files in the folder of a run, to which its page links, and the lines of its logs that the page quotes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadgate.credentials import without_credentials
from loadgate.paths import shown_path
from loadgate.report.text import printable
from loadgate.run.document import ErrorRecord, RunDocument
from loadgate.run.document.requests import ExemplarRecord

LOGS = "logs"
"""The name of the folder with the logs of a managed target, in the folder of its run."""

TARGET_LOG = "target.log"
"""The name of the file with the output of a managed target."""

MAX_FILES = 40
MAX_READ_BYTES = 32_000_000
"""The newest part of a log that is searched."""

MAX_QUOTED_ERRORS = 10
MAX_LINES = 8
MAX_LINE_CHARS = 1000
"""The first lines of a trace, and the first characters of a line, that the page quotes."""

MIN_ID_CHARS = 8
"""A shorter id, which a service can choose, would be found in lines of other requests."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What the folder of a run contains beside its page.

    - `files`: their paths, relative to the folder.
    - `logs`: the path of the logs for commands, "." if the folder has none.
    - `lines`: lines of the logs by the id of a request, each with the name of its file.
    """

    files: Sequence[str] = ()
    logs: str = "."
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def quoted(self, error: ErrorRecord) -> tuple[str, Sequence[str]]:
        """Return the id of the first example that the logs contain, and its lines. Empty without one."""
        ids = map(log_id, error.examples)
        return next(((found, self.lines[found]) for found in ids if found in self.lines), ("", ()))


def log_id(example: ExemplarRecord) -> str:
    """Return the id under which the logs of the target contain a request. "" if there is none."""
    return printable(example.trace_id or example.request_id)


def beside(folder: Path, written: Iterable[str], document: RunDocument) -> Beside:
    """Return what the folder of a run contains.

    Its files are those `written` together with the page, the others that are there, and the logs.
    """
    found = [path for pattern in ("*", f"{LOGS}/*") for path in sorted(folder.glob(pattern))]
    there = [path for path in found if path.is_file() and not path.name.startswith(".")]
    names = [path.relative_to(folder).as_posix() for path in there]
    of_processes = [path for path in there if path.parent.name == LOGS]
    logs = of_processes + [path for path in there if path.name in {TARGET_LOG, f"{TARGET_LOG}.1"}]
    searched = LOGS if of_processes else TARGET_LOG if logs else ""
    ids = {log_id(example) for error in document.errors[:MAX_QUOTED_ERRORS] for example in error.examples}
    return Beside(
        list(dict.fromkeys([*written, *names]))[:MAX_FILES],
        str(shown_path(folder) / searched) if searched else ".",
        _lines_with({found for found in ids if len(found) >= MIN_ID_CHARS}, logs[:MAX_FILES]),
    )


def _lines_with(ids: set[str], logs: Sequence[Path]) -> dict[str, list[str]]:
    """Return the first lines that contain an id, by this id. A log that cannot be read has none."""
    lines: dict[str, list[str]] = {}
    if not ids:
        return lines
    pattern = re.compile("|".join(map(re.escape, sorted(ids))).encode())
    for path in logs:
        try:
            content = _end_of(path)
        except OSError:
            continue
        for found in pattern.finditer(content):
            quoted = lines.setdefault(found[0].decode(), [])
            line = f"{path.name}: {_shown(_line_around(content, *found.span()))}"
            if len(quoted) < MAX_LINES and line not in quoted:
                quoted.append(line)
    return lines


def _line_around(content: bytes, start: int, end: int) -> bytes:
    first, last = content.rfind(b"\n", 0, start) + 1, content.find(b"\n", end)
    return content[first : last if last >= 0 else len(content)]


def _end_of(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - MAX_READ_BYTES))
        return file.read(MAX_READ_BYTES)


def _shown(line: bytes) -> str:
    text = without_credentials(printable(line.decode("utf-8", "replace")))
    return text if len(text) <= MAX_LINE_CHARS else f"{text[: MAX_LINE_CHARS - 1]}…"
