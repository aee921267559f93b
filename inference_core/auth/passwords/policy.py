"""The password policy: a minimum length, and no common passwords. There are no composition rules."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from inference_core.core.exceptions import InvalidInputError

MINIMUM_LENGTH = 8
MAXIMUM_LENGTH = 128


class CommonPasswordError(InvalidInputError):
    """Raised if the password is one of the most common ones."""

    code = "password_too_common"
    detail = "This password is too common. Choose another one."


def check_new_password(password: str) -> None:
    """Check a new password. The schemas check its length.

    Raises:
        CommonPasswordError: The password is one of the most common ones, in any case.
    """
    if password.casefold() in common_passwords():
        raise CommonPasswordError


@cache
def common_passwords() -> frozenset[str]:
    """Return the 3000 most common passwords of at least `MINIMUM_LENGTH` characters, in lower case."""
    text = files("inference_core.auth.passwords").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#!"))
