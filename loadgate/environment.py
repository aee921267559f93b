"""How messages show a value that may come from an environment variable."""

from __future__ import annotations

import os

QUOTED_CHARACTERS = 80


def quoted(value: str) -> str:
    """Return a value in quotes, with control characters escaped. A long one is cut."""
    return repr(value if len(value) <= QUOTED_CHARACTERS else f"{value[:QUOTED_CHARACTERS]}...")


def named(problem: str, value: str, variable: str) -> str:
    """Return the problem of a value, after the name of the environment variable if the value comes from there."""
    return f"{variable}: {problem}" if value and os.environ.get(variable) == value else problem
