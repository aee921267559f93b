"""What a module logs, whether or not another test has configured logging in this process."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest


class LogLines:
    """Stands in for a module's logger; `lines` has each call as a dict, the event and the level included."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def debug(self, event: str, **fields: Any) -> None:
        self.lines.append(fields | {"event": event, "level": "debug"})

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(fields | {"event": event, "level": "info"})

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(fields | {"event": event, "level": "warning"})

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(fields | {"event": event, "level": "error"})


def log_lines_of(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The lines that `module` logs from here on, as they come."""
    log = LogLines()
    monkeypatch.setattr(module, "log", log)
    return log.lines
