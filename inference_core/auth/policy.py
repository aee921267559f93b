"""Which passwords are acceptable: by length and by not being among the most common; no rules of composition."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from inference_core.exceptions import InvalidInputError

MINIMUM_LENGTH = 8
MAXIMUM_LENGTH = 128


class CommonPasswordError(InvalidInputError):
    """The password is one of the most common ones."""

    code = "password_too_common"
    detail = "This password is one of the most common ones. Choose another."


def check_new_password(password: str) -> None:
    """The same policy wherever a password is set; its length is the schemas' matter.

    Raises:
        CommonPasswordError: if it is among the most common ones, in any case.
    """
    if password.casefold() in common_passwords():
        raise CommonPasswordError


@cache
def common_passwords() -> frozenset[str]:
    """The 3000 most common passwords of at least `MINIMUM_LENGTH` characters, in lower case."""
    text = files("inference_core.auth").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#!"))
