"""Read run.json. An error is one line with the problem, its place in the file, and what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loadgate.errors import RequestError
from loadgate.run.document.model import SCHEMA_VERSION, RunDocument
from loadgate.run.document.version_2 import from_version_2

RUN_FILE = "run.json"

PREVIOUS_VERSION = 2
"""The older version that this one still reads."""

MAX_SHOWN = 40
"""Maximum length of a wrong value in a message."""

_DAMAGED = "restore the file, or delete the folder of this run"


class RunFileError(RequestError):
    """Raised if a run.json cannot be read. The message is one line."""


def read_run(path: Path) -> RunDocument:
    """Read a run from its folder or its run.json.

    Raises:
        RunFileError: There is no run.json, or this version cannot read it.
    """
    file = path / RUN_FILE if path.is_dir() else path
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RunFileError(f"{file}: {error.strerror or error}") from error
    try:
        return _validated(content)
    except ValidationError as error:
        raise RunFileError(f"{file}: {_problem(error.errors(include_url=False))}") from error


def _validated(content: bytes) -> RunDocument:
    try:
        return RunDocument.model_validate_json(content)
    except ValidationError as error:
        if any(item["loc"] == ("schema_version",) and item["input"] == PREVIOUS_VERSION for item in error.errors()):
            return RunDocument.model_validate_json(json.dumps(from_version_2(json.loads(content))))
        raise


def damage(error: Exception) -> str:
    """Return the message for a document with inconsistent parts."""
    return f"damaged: {type(error).__name__}: {error}; {_DAMAGED}"


def _problem(errors: Sequence[Mapping[str, Any]]) -> str:
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"not JSON: {first['ctx']['error']}; {_DAMAGED}"
    for error in errors:
        if error["loc"] == ("schema_version",) and error["type"] != "missing":
            return _version_problem(error["input"])
    if first["loc"] == () or any(error["loc"] == ("schema_version",) for error in errors):
        return f"not a run of loadgate: it has no schema_version; {_DAMAGED}"
    return f"damaged: {_place(first['loc'])} {_wrong(first)}; {_DAMAGED}"


def _version_problem(found: object) -> str:
    reads = f"this loadgate reads versions {PREVIOUS_VERSION} and {SCHEMA_VERSION}"
    if type(found) is not int:
        return f"damaged: schema_version is {_shown(found)}, and {reads}; {_DAMAGED}"
    newer = found > SCHEMA_VERSION
    made_by, otherwise = ("a newer", "update loadgate") if newer else ("an older", "run the test again")
    return (
        f"written by {made_by} version of loadgate: its schema version is {found}, and {reads}; "
        f"read it with the version of loadgate that wrote it, or {otherwise}"
    )


def _place(loc: Sequence[str | int]) -> str:
    """Return the path of a value in the form of `jq`: `.verdict.rules[0].value`."""
    return "".join(
        f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{json.dumps(step)}]" for step in loc
    )


def _wrong(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing"
    wanted = " ".join(error["msg"].removeprefix("Input ").split())
    return f"{wanted[:1].lower()}{wanted[1:]}, not {_shown(error['input'])}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
