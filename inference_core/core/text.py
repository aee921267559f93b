"""Clean text for JSON, databases and Redis: remove NUL, and join or replace halves of surrogate pairs.

A token of a language model can end in the middle of a character that UTF-16 encodes as two units. Its server then sends
each half as an escape, which JSON allows but UTF-8 cannot encode. The two halves are joined; a half without its other
half becomes U+FFFD. All other text, including noncharacters, is unchanged.
"""

from __future__ import annotations

import math
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """Return the text without invalid characters, or the same object if there are none."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_json(value: Any) -> Any:
    """Return a JSON value with clean texts."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_json(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean_json(item) for name, item in value.items()}
    return value


def finite(number: str) -> float | None:
    """Return a number of a JSON text. None if JSON cannot write it again."""
    value = float(number)
    return value if math.isfinite(value) else None


class PieceCleaner:
    """A cleaner of a text in pieces. A character can be split between two pieces."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def feed(self, piece: str) -> str:
        """Return the text that is complete with this piece. Empty after half a character."""
        if self._half:
            piece, self._half = self._half + piece, ""
        if "\ud800" <= piece[-1:] <= "\udbff":
            piece, self._half = piece[:-1], piece[-1]
        return clean(piece)

    def end(self) -> str:
        """Return the rest after the last piece."""
        half, self._half = self._half, ""
        return clean(half)
