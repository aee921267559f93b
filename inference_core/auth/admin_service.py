"""Administration of accounts by superusers, and the creation of the first superuser."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from inference_core.auth.audit import audit
from inference_core.auth.errors import AccountExistsError
from inference_core.auth.identifiers import read_login
from inference_core.auth.login_service import LoginService
from inference_core.auth.models import User
from inference_core.auth.passwords import Passwords
from inference_core.auth.policy import check_new_password
from inference_core.auth.repository import Account, AccountReads, UserRepository
from inference_core.auth.schemas import Registration
from inference_core.auth.settings import AuthSettings
from inference_core.core.db.engine import Database, ReadSession
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
        """Activate or deactivate an account. Deactivation ends its sessions and access tokens immediately.

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
            account = await users.by_id(user_id)
        if account is None:
            raise NotFoundError
        if not active:
            await self.logins.auth.sessions.end_all(user_id)
        event = "account_activated" if active else "account_deactivated"
        audit(event, self.logins.client, user_id, by=self.caller_id)
        return account

    async def end_sessions(self, user_id: UUID) -> int:
        """End all sessions of an account. Return their number.

        Raises:
            NotFoundError: There is no such account.
        """
        if await AccountReads(self.logins.database).by_id(user_id) is None:
            raise NotFoundError
        return await self.logins.end_all_sessions(user_id, by=self.caller_id)


async def create_superuser(settings: AuthSettings, *, username: str, email: str, password: str) -> UUID:
    """Create an active, verified superuser in a migrated database. Return its id.

    Raises:
        InvalidInputError: A value is not valid. The text states which one and why.
        AccountExistsError: The user name or the email is taken.
        DatabaseUnavailableError: The database does not respond.
    """
    try:
        registration = Registration(username=username, email=email, password=password)
    except ValidationError as error:
        problems = (f"{detail['loc'][0]}: {detail['msg']}" for detail in error.errors(include_input=False))
        raise InvalidInputError("; ".join(problems)) from None
    check_new_password(registration.password)
    passwords = Passwords(settings)
    try:
        hashed = await passwords.hash(registration.password)
    finally:
        passwords.close()
    user = User(
        username=registration.username,
        email=registration.email,
        hashed_password=hashed,
        is_superuser=True,
        is_verified=True,
    )
    async with Database.open(settings) as database, database.write() as session:
        try:
            await UserRepository(session).add(user)
        except IntegrityError as error:
            raise AccountExistsError from error
    return user.id
