"""The credential of a request: an access token or an API key, read from its headers.

Either can be a bearer token; a key can also be in `X-API-Key`. The query of a URL is never read, because the logs of
proxies contain it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from inference_core.auth.errors import AmbiguousCredentialsError

API_KEY_PREFIX = "ick_"
API_KEY_HEADER = "X-API-Key"
_RAW_API_KEY_HEADER = API_KEY_HEADER.lower().encode()


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as it was sent, which may be invalid."""

    text: str = field(repr=False)
    is_api_key: bool


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> Credential | None:
    """Return the credential in the headers of a request, as ASGI gives them. None without one.

    Other schemes of `Authorization`, such as Basic, are ignored.

    Raises:
        AmbiguousCredentialsError: There is more than one credential, even if they are equal.
    """
    found: Credential | None = None
    for name, value in headers:
        if name == b"authorization":
            scheme, _, text = value.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer":
                continue
            text = text.strip()
            given = Credential(text, is_api_key=text.startswith(API_KEY_PREFIX))
        elif name == _RAW_API_KEY_HEADER:
            given = Credential(value.decode("latin-1").strip(), is_api_key=True)
        else:
            continue
        if found is not None:
            raise AmbiguousCredentialsError
        found = given
    return found
