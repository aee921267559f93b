"""Read a JSON file that loadgate wrote. An error is one line: the problem, its place in the file, and what to do."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from loadgate.errors import RequestError
from loadgate.units import size

MAX_BYTES = 2**28
"""Maximum size of a file. The run of a day with 50 names has 8 MB."""

MAX_SHOWN = 40
"""Maximum length of a wrong value in a message."""

Document = TypeVar("Document")


class RunFileError(RequestError):
    """Raised if a run.json or an ab.json cannot be read. The message is one line."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """What the messages say about a kind of file.

    - `name`: of the file in its folder.
    - `content`: what it holds, as in `a run of loadgate`.
    - `versions`: the values of `schema_version` that this loadgate reads, in ascending order.
    - `repair`: what helps if the file is damaged.
    - `renewal`: how to get a file of the current version.
    """

    name: str
    content: str
    versions: tuple[int, ...]
    repair: str
    renewal: str

    def damage(self, error: Exception) -> str:
        """Return the message for a document with inconsistent parts."""
        return f"damaged: {type(error).__name__}: {error}; {self.repair}"


def read_file(path: Path, kind: FileKind, validated: Callable[[bytes], Document]) -> Document:
    """Read a document from its folder or its file. `validated` can raise Pydantic's `ValidationError`.

    Raises:
        RunFileError: There is no such file, or this version cannot read it.
    """
    file = path / kind.name if path.is_dir() else path
    try:
        content = _content(file, kind)
    except OSError as error:
        raise RunFileError(f"{file}: {error.strerror or error}") from error
    try:
        return validated(content)
    except ValidationError as error:
        raise RunFileError(f"{file}: {_problem(kind, error.errors(include_url=False))}") from error


def _content(file: Path, kind: FileKind) -> bytes:
    # Without O_NONBLOCK, the opening of a named pipe waits for a writer.
    with open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise RunFileError(f"{file}: not a regular file; {kind.repair}")
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RunFileError(f"{file}: larger than {size(MAX_BYTES)}; {kind.repair}")
    return content


def _problem(kind: FileKind, errors: Sequence[Mapping[str, Any]]) -> str:
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"not JSON: {first['ctx']['error']}; {kind.repair}"
    for error in errors:
        if error["loc"] == ("schema_version",) and error["type"] != "missing":
            return _version_problem(kind, error["input"])
    if first["loc"] == () or any(error["loc"] == ("schema_version",) for error in errors):
        return f"not {kind.content}: it has no schema_version; {kind.repair}"
    return f"damaged: {_place(first['loc'])} {_wrong(first)}; {kind.repair}"


def _version_problem(kind: FileKind, found: object) -> str:
    *older, newest = kind.versions
    shown = f"versions {', '.join(map(str, older))} and {newest}" if older else f"version {newest}"
    reads = f"this loadgate reads {shown}"
    if type(found) is not int:
        return f"damaged: schema_version is {_shown(found)}, and {reads}; {kind.repair}"
    newer = found > newest
    made_by, otherwise = ("a newer", "update loadgate") if newer else ("an older", kind.renewal)
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
