"""Access tokens: short-lived signed JWTs in the form of RFC 9068 that contain a user and a session."""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

from inference_core.auth.settings import AuthSettings
from inference_core.core.exceptions import NotAuthenticatedError

ALGORITHM = "HS256"
TOKEN_TYPE = "at+jwt"  # noqa: S105  # a media type
# About as many users as one process can serve at a time. Each token takes 0.7 kB.
MOST_VERIFIED = 1_000
# Maximum clock skew of another machine whose tokens are accepted.
CLOCK_SKEW_S = 10
REQUIRED_CLAIMS = ["exp", "iat", "nbf", "iss", "aud", "sub", "sid", "gen", "ver"]
# Headers that refer to a key are not allowed.
KNOWN_HEADERS = {"alg", "typ", "kid"}


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of a valid access token.

    `generation` is the number of refreshes of its session. `version` is the token version of the account at its issue.
    `expires_at` is in epoch seconds and set by `issue`.
    """

    user_id: UUID
    session_id: str
    generation: int
    version: int
    expires_at: int = 0


def derive_key(secret: str, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose. A signature for one purpose is invalid for all others."""
    return hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256)


def key_id(secret: str) -> str:
    """Return the public id of the signing key of a secret."""
    return derive_key(secret, "key-id").hex()[:12]


class AccessTokens:
    """An issuer with the active key. It accepts tokens of all configured keys."""

    def __init__(self, settings: AuthSettings) -> None:
        secrets = settings.signing_secrets
        self._keys = {key_id(secret): derive_key(secret, "access-token") for secret in secrets}
        self._active = key_id(secrets[0])
        self._issuer = settings.token_issuer
        self._audience = settings.token_audience
        # Fast path: a valid signature stays valid, so the claims are cached by the complete token.
        self._verified: dict[str, AccessClaims] = {}
        self.lifetime_s = settings.access_token_expire_minutes * 60

    def issue(self, claims: AccessClaims) -> str:
        """Return a token that is valid from now for `lifetime_s`."""
        now = int(time.time())
        payload = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(claims.user_id),
            "sid": claims.session_id,
            "gen": claims.generation,
            "ver": claims.version,
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime_s,
        }
        headers = {"kid": self._active, "typ": TOKEN_TYPE}
        return jwt.encode(payload, self._keys[self._active], ALGORITHM, headers)

    def verify(self, token: str) -> AccessClaims:
        """Return the claims of `token`.

        Raises:
            NotAuthenticatedError: The service did not issue it, it is not valid now, or it is not an access token.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._decode(token)
            if len(self._verified) >= MOST_VERIFIED:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = claims
        # The skew applies only to the start of a token's lifetime.
        if claims.expires_at <= time.time():
            raise NotAuthenticatedError
        return claims

    def _decode(self, token: str) -> AccessClaims:
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(str(header.get("kid")))
            if key is None or header.get("typ") != TOKEN_TYPE or not set(header) <= KNOWN_HEADERS:
                raise NotAuthenticatedError
            payload: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=CLOCK_SKEW_S,
                options={"require": REQUIRED_CLAIMS, "strict_aud": True},
            )
            numbers = (int(payload[name]) for name in ("gen", "ver", "exp"))
            return AccessClaims(UUID(payload["sub"]), str(payload["sid"]), *numbers)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotAuthenticatedError from error
