"""The normalization of user names and emails at registration, login, reset and in commands.

A user name and an email have one normal form each. The domain of an email is stored in Unicode, and its text is in NFC.
Registration and login use the same form.
"""

from __future__ import annotations

import unicodedata

from pydantic.networks import validate_email
from pydantic_core import PydanticCustomError

LONGEST_LOGIN = 1024


def read_username(text: str) -> str:
    """Return a user name without surrounding blanks, with plain instead of full-width characters, in lower case.

    A text that is longer than `LONGEST_LOGIN` is returned unchanged, because it is not a user name.
    """
    if len(text) > LONGEST_LOGIN:
        return text
    return unicodedata.normalize("NFKC", text).strip().lower()


def without_case(text: str) -> str:
    """Return a text without surrounding blanks, in lower case, for the validation of an email."""
    return text.strip().lower()


def read_login(text: str) -> str:
    """Return the identifier that was typed at a login: the normalized email if it is one, else the user name.

    Only the beginning of a text that is longer than `LONGEST_LOGIN` is read, because no identifier is that long.
    """
    text = text[:LONGEST_LOGIN]
    if "@" in text:
        try:
            return validate_email(without_case(text))[1]
        except PydanticCustomError:
            # No account has this identifier. It is counted as typed.
            return unicodedata.normalize("NFC", without_case(text))
    return read_username(text)
