"""Refresh tokens: opaque tokens that form one chain for each session. Pure functions of a secret, without storage.

A token is `session.secret.tag`. The successor of a secret is a keyed hash of it. A client that lost its response can
therefore get the same successor again, although only hashes are stored. The tag shows that the service issued the
token, so an invented token cannot end a session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from inference_core.auth.settings import AuthSettings
from inference_core.auth.tokens.access_tokens import derive_key

TOKEN = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A genuine refresh token: its session and its secret."""

    session_id: str
    secret: str

    @property
    def hash(self) -> str:
        """Return the stored hash."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


class RefreshTokens:
    """A factory and reader of tokens. The first signing secret is the active one."""

    def __init__(self, settings: AuthSettings) -> None:
        self._tag_keys = [derive_key(secret, "refresh-tag") for secret in settings.signing_secrets]
        self._chain_keys = [derive_key(secret, "refresh-chain") for secret in settings.signing_secrets]

    def first(self) -> RefreshToken:
        """Return the first token of a new session."""
        return RefreshToken(secrets.token_hex(16), secrets.token_urlsafe(32))

    def successors(self, token: RefreshToken) -> list[RefreshToken]:
        """Return the successors of `token` under the active key and the older keys."""
        message = f"{token.session_id}.{token.secret}".encode()
        digests = [hmac.digest(key, message, hashlib.sha256) for key in self._chain_keys]
        return [RefreshToken(token.session_id, _text(digest)) for digest in digests]

    def encode(self, token: RefreshToken) -> str:
        """Return the token in the form for clients."""
        return f"{token.session_id}.{token.secret}.{_tag(self._tag_keys[0], token)}"

    def decode(self, text: str) -> RefreshToken | None:
        """Return the token, or None if the service did not issue it."""
        match = TOKEN.fullmatch(text)
        if match is None:
            return None
        token = RefreshToken(match[1], match[2])
        genuine = any(hmac.compare_digest(_tag(key, token), match[3]) for key in self._tag_keys)
        return token if genuine else None


def _tag(key: bytes, token: RefreshToken) -> str:
    return _text(hmac.digest(key, f"{token.session_id}.{token.secret}".encode(), hashlib.sha256)[:16])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
