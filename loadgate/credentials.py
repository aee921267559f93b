"""User names and passwords in URLs: requests are sent with them, and nothing that is written or shown has them."""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import unquote, urlsplit

# What may stand there by RFC 3986, and an `@` that should have been written as %40.
_USER_INFO = re.compile(r"""(?<=://)[^\s/?#"<>]*@""")


def without_credentials(text: str) -> str:
    """Return a text without the user and the password of each URL in it."""
    return _USER_INFO.sub("", text)


def basic_authorization(url: str) -> str | None:
    """Return the Authorization header that the user and the password of a URL ask for, `None` where it has none."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"
