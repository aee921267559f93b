"""Refresh sessions (families of refresh tokens) in Redis. Each change is one Lua script and one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.auth.limits.throttle import Attempt, seconds_of
from inference_core.auth.settings import AuthSettings
from inference_core.auth.tokens.refresh_tokens import RefreshToken, RefreshTokens
from inference_core.core.exceptions import NotAuthenticatedError, ThrottledError
from inference_core.core.loggers import get_logger
from inference_core.core.redis.errors import redis_errors_as
from inference_core.core.redis.scripts import LuaScript

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = get_logger(__name__)

SESSION_KEY = "auth:session:"
INDEX_KEY = "auth:user-sessions:"
MOST_SESSIONS_PER_USER = 100
MOST_CONFIRMED = 10_000
USER_AGENT_LENGTH = 200
DAY_MS = 24 * 3600 * 1000
PACKAGE = "inference_core.auth.tokens"


class InvalidRefreshTokenError(NotAuthenticatedError):
    """Raised if the refresh token is unknown or expired, or its session has ended."""

    code = "invalid_refresh_token"
    detail = "The refresh token is not valid. Log in again."


class RefreshTokenReusedError(NotAuthenticatedError):
    """Raised if a refresh token was used again after its successor. Its session has been ended."""

    code = "refresh_token_reused"
    detail = "The refresh token was used before, so the session has been ended. Log in again."

    def __init__(self, user_id: UUID, session_id: str) -> None:
        super().__init__()
        self.user_id = user_id
        self.session_id = session_id


@dataclass(frozen=True, slots=True)
class Client:
    """The caller, as known from the connection."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class StartedSession:
    """A session's id, the generation of its tokens, and the refresh token as the client gets it.

    `version` is the account's token version at the session's start.
    """

    id: str
    user_id: UUID
    generation: int
    version: int
    refresh_token: str


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """An active session, as shown to its owner."""

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    user_agent: str


class RefreshSessions:
    """The sessions of all users. Every call raises `SessionStoreUnavailableError` when Redis does not respond."""

    def __init__(self, client: Redis, settings: AuthSettings) -> None:
        self._client = client
        self._tokens = RefreshTokens(settings)
        self._grace_ms = settings.refresh_grace_s * 1000
        self._absolute_ms = settings.refresh_token_expire_days * DAY_MS
        self._idle_ms = settings.refresh_token_idle_days * DAY_MS
        self._confirmed: dict[str, int] = {}
        self._create = LuaScript(client, PACKAGE, "session_create", SessionStoreUnavailableError)
        self._refresh = LuaScript(client, PACKAGE, "session_refresh", SessionStoreUnavailableError)
        self._confirm = LuaScript(client, PACKAGE, "session_confirm", SessionStoreUnavailableError)
        self._end = LuaScript(client, PACKAGE, "session_end", SessionStoreUnavailableError)
        self._end_all = LuaScript(client, PACKAGE, "session_end_all", SessionStoreUnavailableError)

    async def start(self, user_id: UUID, version: int, client: Client, attempt: Attempt) -> StartedSession:
        """Start a session of an account with this token version, and reset the failures of `attempt` in the same step.

        Raises:
            ThrottledError: The attempt was locked while the password was compared.
        """
        token = self._tokens.first()
        locked_ms = await self._create(
            [SESSION_KEY + token.session_id, INDEX_KEY + str(user_id), *attempt.keys, SESSION_KEY],
            *(token.session_id, str(user_id), token.hash),
            *(self._absolute_ms, self._idle_ms, MOST_SESSIONS_PER_USER),
            *(client.address, client.user_agent[:USER_AGENT_LENGTH], version),
        )
        if locked_ms:
            raise ThrottledError(seconds_of(locked_ms))
        return StartedSession(token.session_id, user_id, 0, version, self._tokens.encode(token))

    async def refresh(self, text: str) -> StartedSession:
        """Exchange a refresh token for its successor. Return it again to a client that did not receive it.

        Raises:
            InvalidRefreshTokenError: The service did not issue the token, or its session is gone.
            RefreshTokenReusedError: The token was replaced by one that is in use. The session has been ended.
        """
        token = self._tokens.decode(text)
        if token is None:
            raise InvalidRefreshTokenError
        successors = self._tokens.successors(token)
        outcome, *rest = await self._refresh(
            [SESSION_KEY + token.session_id, INDEX_KEY],
            *(token.hash, successors[0].hash, self._grace_ms, self._idle_ms, token.session_id),
        )
        if outcome == b"gone":
            raise InvalidRefreshTokenError
        user_id = UUID(rest[0].decode())
        if outcome == b"reused":
            raise RefreshTokenReusedError(user_id, token.session_id)
        successor = _find(successors, rest[3].decode())
        return StartedSession(token.session_id, user_id, int(rest[1]), int(rest[2]), self._tokens.encode(successor))

    async def confirm(self, session_id: str, generation: int) -> None:
        """Note once that the tokens of this generation have reached their client.

        If Redis is unavailable, a later use notes it. No request is refused for this.
        """
        if self._confirmed.get(session_id, 0) >= generation:
            return
        try:
            await self._confirm([SESSION_KEY + session_id], generation)
        except SessionStoreUnavailableError:
            log.warning("generation_not_confirmed", session_id=session_id)
            return
        if len(self._confirmed) >= MOST_CONFIRMED:
            del self._confirmed[next(iter(self._confirmed))]
        self._confirmed[session_id] = generation

    def session_of(self, text: str) -> str | None:
        """Return the session of a genuine refresh token, else None."""
        token = self._tokens.decode(text)
        return token.session_id if token else None

    async def end(self, session_id: str, owner: UUID | None = None) -> UUID | None:
        """End a session and return its user, or None if there was none.

        If an owner is given, the session must be theirs.
        """
        user = await self._end([SESSION_KEY + session_id, INDEX_KEY], session_id, str(owner or ""))
        return UUID(user.decode()) if user else None

    async def end_all(self, user_id: UUID, keep: str = "") -> int:
        """End all sessions of a user except the one to keep. Return the number of ended sessions."""
        return int(await self._end_all([INDEX_KEY + str(user_id), SESSION_KEY], keep))

    async def list(self, user_id: UUID) -> list[SessionInfo]:
        """Return the active sessions of a user, the most recently used first."""
        with redis_errors_as(SessionStoreUnavailableError):
            raw_ids = cast("list[bytes]", await self._client.zrange(INDEX_KEY + str(user_id), 0, -1))
            ids = [raw_id.decode() for raw_id in raw_ids]
            async with self._client.pipeline(transaction=False) as pipeline:
                for session_id in ids:
                    pipeline.hgetall(SESSION_KEY + session_id)
                found = await pipeline.execute()
        live = [_info(session_id, fields) for session_id, fields in zip(ids, found, strict=True) if fields]
        return sorted(live, key=lambda info: info.last_used_at, reverse=True)


def _find(successors: list[RefreshToken], current_hash: str) -> RefreshToken:
    for successor in successors:
        if successor.hash == current_hash:
            return successor
    # The successor was created with a signing secret that was removed since.
    raise InvalidRefreshTokenError


def _info(session_id: str, fields: dict[bytes, Any]) -> SessionInfo:
    def time_of(name: bytes) -> datetime:
        return datetime.fromtimestamp(int(fields[name]) / 1000, UTC)

    return SessionInfo(
        id=session_id,
        created_at=time_of(b"created_ms"),
        last_used_at=time_of(b"used_ms"),
        expires_at=time_of(b"expires_ms"),
        address=fields[b"address"].decode(),
        user_agent=fields[b"user_agent"].decode(errors="replace"),
    )
