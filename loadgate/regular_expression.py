"""Compile regular expressions of settings."""

from __future__ import annotations

import re


def regular_expression(text: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Return the compiled regular expression. Raises ValueError with one line that says what is wrong."""
    try:
        return re.compile(text, flags)
    except RecursionError:
        raise ValueError("the regular expression is nested too deeply") from None
    except (re.error, OverflowError) as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
