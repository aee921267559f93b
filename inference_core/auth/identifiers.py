"""How user names and emails are read, wherever they are typed: at registration, login, reset and in commands.

A user name has one form, and so has an email, whose domain is stored in Unicode and whose text is in NFC. What
registration stores is what a login looks up.
"""

from __future__ import annotations

import unicodedata

from pydantic.networks import validate_email
from pydantic_core import PydanticCustomError

LONGEST_LOGIN = 1024


def read_username(text: str) -> str:
    """Without surrounding blanks, full-width characters as plain ones, in lower case.

    A text that is longer than `LONGEST_LOGIN` is left as it is: it is no user name.
    """
    if len(text) > LONGEST_LOGIN:
        return text
    return unicodedata.normalize("NFKC", text).strip().lower()


def without_case(text: str) -> str:
    """Without surrounding blanks, in lower case: what an email is validated from."""
    return text.strip().lower()


def read_login(text: str) -> str:
    """What is typed at a login, read as an email if it is one, else as a user name.

    Of a text that is longer than `LONGEST_LOGIN` the beginning is read: no identifier is as long.
    """
    text = text[:LONGEST_LOGIN]
    if "@" in text:
        try:
            return validate_email(without_case(text))[1]
        except PydanticCustomError:
            # No account has it; it is counted as it was typed.
            return unicodedata.normalize("NFC", without_case(text))
    return read_username(text)
