"""How messages show a value that may come from an environment variable."""

from __future__ import annotations

import os

QUOTED_CHARACTERS = 80


def quoted(value: str) -> str:
    """Return a value in quotes, with control characters escaped. A long value is truncated."""
    return repr(value if len(value) <= QUOTED_CHARACTERS else f"{value[:QUOTED_CHARACTERS]}...")


def named(problem: str, value: str, variable: str) -> str:
    """Return the text of a problem. If `variable` has the value, the text starts with the name of the variable."""
    return f"{variable}: {problem}" if value and os.environ.get(variable) == value else problem
