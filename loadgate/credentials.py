"""User names and passwords in URLs, which requests use and output does not contain. And which server gets a token."""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import unquote, urlsplit

# The user information of RFC 3986. It may contain an `@`, although the RFC requires %40.
_USER_INFO = re.compile(r"""(?<=://)[^\s/?#"<>]*@""")


_PORTS = {"http": 80, "https": 443}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def without_credentials(text: str) -> str:
    """Return a text from which the user name and the password of every URL are removed."""
    return _USER_INFO.sub("", text)


def is_same_server(first: str, second: str) -> bool:
    """Return whether two URLs have the same scheme, host and port. All names of the loopback interface are one host."""
    servers = [_server(url) for url in (first, second)]
    return None not in servers and servers[0] == servers[1]


def _server(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    host = (parts.hostname or "").rstrip(".")
    return (parts.scheme, "localhost" if host in _LOOPBACK else host, port) if host else None


def basic_authorization(url: str) -> str | None:
    """Return the Authorization header for the user name and password of a URL. `None` if the URL has no user name."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"
