"""User names and passwords in URLs. Requests use them, and output does not contain them."""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import unquote, urlsplit

# The user information of RFC 3986. It may contain an `@`, although the RFC requires %40.
_USER_INFO = re.compile(r"""(?<=://)[^\s/?#"<>]*@""")


def without_credentials(text: str) -> str:
    """Return a text from which the user name and the password of every URL are removed."""
    return _USER_INFO.sub("", text)


def basic_authorization(url: str) -> str | None:
    """Return the Authorization header for the user name and password of a URL. `None` if the URL has no user name."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"
