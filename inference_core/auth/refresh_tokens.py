"""Refresh tokens: opaque, one chain for each session; pure functions of a secret, no storage.

A token is `session.secret.tag`. The secret's successor is a keyed hash of it, so that a client whose answer was lost
can be given the same successor again although only hashes are stored. The tag shows that we issued the token, so that
a made-up one ends nobody's session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from inference_core.auth.tokens import derive_key
from inference_core.settings import Settings

TOKEN = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A genuine refresh token: which session it belongs to, and its secret."""

    session_id: str
    secret: str

    @property
    def hash(self) -> str:
        """What is stored of it."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


class RefreshTokens:
    """Makes, reads and continues tokens; the first signing secret is the active one."""

    def __init__(self, settings: Settings) -> None:
        self._tag_keys = [derive_key(secret, "refresh-tag") for secret in settings.signing_secrets]
        self._chain_keys = [derive_key(secret, "refresh-chain") for secret in settings.signing_secrets]

    def first(self) -> RefreshToken:
        """The first token of a new session."""
        return RefreshToken(secrets.token_hex(16), secrets.token_urlsafe(32))

    def successors(self, token: RefreshToken) -> list[RefreshToken]:
        """What follows `token`: by the active key, then by the older ones."""
        message = f"{token.session_id}.{token.secret}".encode()
        digests = [hmac.digest(key, message, hashlib.sha256) for key in self._chain_keys]
        return [RefreshToken(token.session_id, _text(digest)) for digest in digests]

    def encode(self, token: RefreshToken) -> str:
        """As the client sees it."""
        return f"{token.session_id}.{token.secret}.{_tag(self._tag_keys[0], token)}"

    def decode(self, text: str) -> RefreshToken | None:
        """The token, or None if it is not one of ours."""
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
