"""Log in, and refresh and end sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from inference_core.auth.accounts.identifiers import read_login
from inference_core.auth.api_keys.service import revoke_all
from inference_core.auth.audit import audit
from inference_core.auth.limits.throttle import AccountLimitError, Attempt
from inference_core.auth.mail.mailing import Mailing
from inference_core.auth.repository import Account, AccountReads, UserRepository
from inference_core.auth.state import AuthState
from inference_core.auth.tokens.access_tokens import AccessClaims
from inference_core.auth.tokens.sessions import (
    Client,
    InvalidRefreshTokenError,
    RefreshTokenReusedError,
    SessionInfo,
    StartedSession,
)
from inference_core.core.addresses import address_prefix
from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database
from inference_core.core.exceptions import InvalidCredentialsError, NotFoundError, ThrottledError

NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """The tokens for a client. `expires_in_s` is the lifetime of the access token."""

    access_token: str
    refresh_token: str
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class LoginService:
    """The service opens short database sessions, so that it holds no session while a password is hashed."""

    auth: AuthState
    database: Database
    client: Client
    mailing: Mailing

    async def log_in(self, login: str, password: str) -> IssuedTokens:
        """Start a session.

        Raises:
            InvalidCredentialsError: The user, the password or the account is not valid.
            ThrottledError: There were too many failures.
        """
        login = read_login(login)
        account = await AccountReads(self.database).by_login(login)
        attempt = Attempt(login, address_prefix(self.client.address))
        try:
            over_limit = await self._admit(account, attempt)
            issued = await self._log_in(account, attempt, password)
        except ThrottledError:
            audit("login_throttled", self.client, account.id if account else None)
            raise
        await self.auth.throttle.passed(attempt, over_account_limit=over_limit)
        return issued

    async def _admit(self, account: Account | None, attempt: Attempt) -> bool:
        """Admit an attempt. Return whether its account is over its limit.

        Above the limit, only networks from which the account has a session can try. This stops guesses from many
        networks, but does not lock out the owner.
        """
        try:
            await self.auth.throttle.admit(attempt)
        except AccountLimitError:
            await self.mailing.warn(attempt.login)
            # An unknown account causes the same work.
            sessions = await self.auth.sessions.list(account.id if account else NOBODY)
            if attempt.prefix not in {address_prefix(session.address) for session in sessions}:
                raise
            await self.auth.throttle.admit(attempt, over_account_limit=True)
            return True
        return False

    async def _log_in(self, account: Account | None, attempt: Attempt, password: str) -> IssuedTokens:
        # An account without login takes the same path, and the same time, as an unknown one.
        stored = account.hashed_password if account and account.is_active and not account.is_pending else None
        matches, newer = await self.auth.passwords.verify(password, stored)
        if account is None or not matches:
            await self.auth.throttle.failed(attempt)
            audit("login_failed", self.client, account.id if account else None)
            raise InvalidCredentialsError
        if newer is not None:
            async with self.database.write() as session:
                await UserRepository(session).rehash(account.id, account.hashed_password, newer)
        started = await self.auth.sessions.start(account.id, account.token_version, self.client, attempt)
        audit("login_succeeded", self.client, account.id, started.id)
        return self._issue(started, account)

    async def refresh(self, refresh_token: str) -> IssuedTokens:
        """Exchange a refresh token.

        Raises:
            InvalidRefreshTokenError: The token or its account is no longer valid.
            RefreshTokenReusedError: The token had been used before. Its session has ended, including access tokens.
        """
        try:
            started = await self.auth.sessions.refresh(refresh_token)
        except RefreshTokenReusedError as reused:
            audit("refresh_token_reused", self.client, reused.user_id, reused.session_id)
            await self._refuse_access_tokens(reused.session_id)
            raise
        account = await AccountReads(self.database).by_id(started.user_id)
        # Also end a session that was started while the password was changed or the account was deactivated.
        if account is None or not account.honours(started.version, started.id):
            await self.auth.sessions.end(started.id)
            audit("refresh_refused", self.client, started.user_id, started.id)
            raise InvalidRefreshTokenError
        return self._issue(started, account)

    async def log_out(self, refresh_token: str) -> None:
        """End the session of a refresh token. An unknown token is not an error."""
        session_id = self.auth.sessions.session_of(refresh_token)
        user_id = await self.auth.sessions.end(session_id) if session_id else None
        if session_id and user_id:
            await self._refuse_access_tokens(session_id)
            audit("logged_out", self.client, user_id, session_id)

    async def sessions(self, user_id: UUID) -> list[SessionInfo]:
        """Return the active sessions of a user."""
        return await self.auth.sessions.list(user_id)

    async def end_session(self, user_id: UUID, session_id: str) -> None:
        """End one of the user's own sessions.

        Raises:
            NotFoundError: The user has no such session.
        """
        if await self.auth.sessions.end(session_id, owner=user_id) is None:
            raise NotFoundError
        await self._refuse_access_tokens(session_id)
        audit("session_ended", self.client, user_id, session_id)

    async def end_all_sessions(self, user_id: UUID, by: UUID | None = None) -> int:
        """End all sessions of a user, including access tokens, and revoke all API keys.

        Return the number of sessions. `by` is the superuser, if any.
        """
        async with self.database.write() as session:
            await UserRepository(session).revoke_tokens(user_id)
            await revoke_all(session, self.client, user_id, by=by)
        ended = await self.auth.sessions.end_all(user_id)
        audit("all_sessions_ended", self.client, user_id, by=by)
        return ended

    def _issue(self, started: StartedSession, account: Account) -> IssuedTokens:
        claims = AccessClaims(account.id, started.id, started.generation, account.token_version)
        access_token = self.auth.tokens.issue(claims)
        return IssuedTokens(access_token, started.refresh_token, self.auth.tokens.lifetime_s)

    async def _refuse_access_tokens(self, session_id: str) -> None:
        until = utc_now() + timedelta(seconds=self.auth.tokens.lifetime_s)
        async with self.database.write() as session:
            await UserRepository(session).end_session(session_id, until)
