"""Show the log files of the stack on a terminal, in one short format and in the order of time."""

from __future__ import annotations

import json
import linecache
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from textwrap import shorten
from typing import Any

from inference_core.core.log_lines import (
    DIM,
    LEVEL_COLOURS,
    RED,
    access_line,
    coloured,
    printable,
    short_time,
)

# Access lines are written up to 0.2 s after their requests.
HOLD_BACK_S = 0.4
EVENT_CHARACTERS = 300
# A program can write without ever ending a line, or faster than lines are shown.
MAX_LINE_BYTES = 64 * 1024
READ_BYTES = 1024 * 1024
# Below the level of warnings, these loggers describe themselves and not the service.
INTERNAL_LOGGERS = ("uvicorn", "celery", "kombu", "amqp")
# Except for the results of tasks.
TASK_RESULTS = "celery.app.trace"
NOT_SHOWN = {"event", "level", "timestamp", "logger", "exception", "request_id", "trace_id", "user_id", "task_id"}


@dataclass(slots=True)
class _File:
    path: Path
    offset: int
    rest: bytes = b""
    is_cut: bool = False

    def new_lines(self) -> list[bytes]:
        """Return complete lines, and the start of a line that is too long to wait for its end."""
        with self.path.open("rb") as log:
            log.seek(self.offset)
            added = log.read(READ_BYTES)
        self.offset += len(added)
        *lines, self.rest = (self.rest + added).split(b"\n")
        if self.is_cut:
            # The start of the first line was already returned.
            self.is_cut, self.rest = not lines, self.rest if lines else b""
            lines = lines[1:]
        if len(self.rest) > MAX_LINE_BYTES:
            lines.append(self.rest[:MAX_LINE_BYTES] + " …".encode())
            self.is_cut, self.rest = True, b""
        return lines


@dataclass(slots=True)
class LogFollower:
    """The lines that log files get from the creation of this object on.

    Attributes:
        logs: The files, by the name that is shown.
    """

    logs: Mapping[str, Path]
    write: Callable[[str], None]
    is_coloured: bool
    _files: dict[str, _File] = field(init=False)
    _held: list[tuple[float, str]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._files = {name: _File(path, path.stat().st_size) for name, path in self.logs.items()}

    def poll(self, *, until_s: float | None = None) -> None:
        """Show the lines that are old enough to be in order, or older than `until_s` in epoch seconds."""
        now_s = time.time()
        for name, file in self._files.items():
            for line in file.new_lines():
                self._held.extend(self._shown(name, line.decode(errors="replace"), now_s))
        self._held.sort(key=lambda held: held[0])
        limit_s = now_s - HOLD_BACK_S if until_s is None else until_s
        while self._held and self._held[0][0] <= limit_s:
            self.write(self._held.pop(0)[1])

    def _shown(self, name: str, line: str, now_s: float) -> Iterator[tuple[float, str]]:
        try:
            record = json.loads(line)
            at_s = datetime.fromisoformat(record["timestamp"]).timestamp()
        except (ValueError, TypeError, KeyError):
            if line.strip():
                yield (
                    now_s,
                    f"{coloured(short_time(now_s), DIM, is_coloured=self.is_coloured)} {name} {printable(line)}",
                )
            return
        if record.get("event") == "request":
            yield at_s, self._access(record, at_s)
        elif not _is_internal(record):
            yield at_s, self._event(name, record, at_s)
            for text in _traceback(record.get("exception") or ()):
                yield at_s, coloured(printable(text), RED, is_coloured=self.is_coloured)

    def _access(self, record: dict[str, Any], at_s: float) -> str:
        request = f"{record['method']} {record['path']}"
        line = access_line(at_s, request, record["status"], record["duration_ms"], is_coloured=self.is_coloured)
        return f"{line} {coloured(record['request_id'], DIM, is_coloured=self.is_coloured)}"

    def _event(self, name: str, record: dict[str, Any], at_s: float) -> str:
        level = str(record.get("level", ""))
        values = [f"{key}={value}" for key, value in record.items() if key not in NOT_SHOWN and value not in ("", None)]
        text = shorten(str(record.get("event", "")), EVENT_CHARACTERS, placeholder=" …")
        parts = [
            coloured(short_time(at_s), DIM, is_coloured=self.is_coloured),
            name,
            coloured(level, LEVEL_COLOURS.get(level, ""), is_coloured=self.is_coloured),
            *(printable(part) for part in (text, *values)),
        ]
        return " ".join(part for part in parts if part)


def _is_internal(record: dict[str, Any]) -> bool:
    logger = str(record.get("logger", ""))
    library = logger.split(".", maxsplit=1)[0]
    return record.get("level") in ("debug", "info") and logger != TASK_RESULTS and library in INTERNAL_LOGGERS


def _traceback(stacks: Any) -> Iterator[str]:
    """Yield the lines of an exception and its causes, without the frames of libraries in between."""
    for stack in reversed(stacks):
        frames = stack["frames"]
        own = [frame for frame in frames if "site-packages" not in frame["filename"]]
        for frame in own if frames and frames[-1] in own else [*own, *frames[-1:]]:
            yield f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}'
            if source := linecache.getline(frame["filename"], frame["lineno"]).strip():
                yield f"    {source}"
        yield f"{stack['exc_type']}: {stack['exc_value']}"
