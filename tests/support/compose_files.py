"""Read Compose files as Docker Compose does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


class MissingVariableError(Exception):
    """Raised if a required variable of a Compose file is not set."""


def compose_file(path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return a Compose file: anchors are merged, and then variables are replaced.

    Raises:
        MissingVariableError: A required variable is missing or empty.
    """

    def value(match: re.Match[str]) -> str:
        name, kind, text = match.groups()
        if name is None:
            return "$"
        if variables.get(name):
            return variables[name]
        if kind != "-":
            raise MissingVariableError(f"{name}: {text}")
        return str(text)

    def replaced(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: replaced(part) for key, part in item.items()}
        if isinstance(item, list):
            return [replaced(part) for part in item]
        return VARIABLE.sub(value, item) if isinstance(item, str) else item

    read: dict[str, Any] = replaced(yaml.safe_load(path.read_text()))
    return read
