"""Check a `.env` file for invalid lines and misspelt settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from dotenv.parser import Binding, parse_stream

# Minimum similarity of two names: one letter wrong, missing or doubled, or two letters exchanged.
ALIKE = 0.88


class EnvFileError(Exception):
    """Raised if the file is invalid. The text has one line for each error."""


def check_env_file(path: Path) -> None:
    """Refuse a `.env` with lines that are not `NAME=value`, because the parser would ignore them.

    Raises:
        EnvFileError: There are such lines. The text contains their numbers.
    """
    bad = [binding.original.line for binding in _bindings(path) if binding.error]
    if bad:
        raise EnvFileError(f"settings: {path} line {', '.join(map(str, bad))}: not NAME=value")


def misspelt_names(path: Path, known: Iterable[str]) -> Iterator[str]:
    """Return one line for each name in the file that is probably a misspelt setting.

    Raises:
        EnvFileError: The file cannot be read.
    """
    names = {name.upper() for name in known}
    for binding in _bindings(path):
        name = (binding.key or "").upper()
        if name and name not in names and (close := get_close_matches(name, names, 1, ALIKE)):
            yield (
                f"settings: {path} line {binding.original.line}: {binding.key} is not a setting and is ignored; "
                f"did you mean {close[0]}?"
            )


def _bindings(path: Path) -> list[Binding]:
    try:
        if not path.is_file():
            return []
        with path.open(encoding="utf-8") as stream:
            return list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise EnvFileError(f"settings: {path} cannot be read: {type(error).__name__}") from error
