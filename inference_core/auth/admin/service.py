"""Administration of accounts by superusers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from inference_core.auth.accounts.identifiers import read_login
from inference_core.auth.accounts.login_service import LoginService
from inference_core.auth.api_keys.service import revoke_all
from inference_core.auth.audit import audit
from inference_core.auth.repository import Account, AccountReads, UserRepository
from inference_core.core.db.engine import ReadSession
from inference_core.core.exceptions import InvalidInputError, NotFoundError


@dataclass(frozen=True, slots=True)
class AdminService:
    """The service acts for the superuser `caller_id`, who sent the request of `logins`."""

    logins: LoginService
    caller_id: UUID

    async def page(self, session: ReadSession, search: str, offset: int, limit: int) -> tuple[list[Account], int]:
        """Return a page of accounts from `offset` on, and the number of all matches."""
        return await UserRepository(session).page(read_login(search), offset, limit)

    async def set_active(self, user_id: UUID, *, active: bool) -> Account:
        """Activate or deactivate an account. Deactivation ends its sessions, access tokens and API keys immediately.

        Raises:
            InvalidInputError: Callers cannot deactivate themselves.
            NotFoundError: There is no such account.
        """
        if self.caller_id == user_id and not active:
            raise InvalidInputError("You cannot deactivate your own account.", code="own_account")
        async with self.logins.database.write() as session:
            users = UserRepository(session)
            await users.change(user_id, is_active=active)
            if not active:
                await users.revoke_tokens(user_id)
                await revoke_all(session, self.logins.client, user_id, by=self.caller_id)
            account = await users.by_id(user_id)
        if account is None:
            raise NotFoundError
        if not active:
            await self.logins.auth.sessions.end_all(user_id)
        event = "account_activated" if active else "account_deactivated"
        audit(event, self.logins.client, user_id, by=self.caller_id)
        return account

    async def end_sessions(self, user_id: UUID) -> int:
        """End all sessions and API keys of an account. Return the number of sessions.

        Raises:
            NotFoundError: There is no such account.
        """
        if await AccountReads(self.logins.database).by_id(user_id) is None:
            raise NotFoundError
        return await self.logins.end_all_sessions(user_id, by=self.caller_id)
