"""What superusers may do with accounts, and how the first of them is made."""

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
from inference_core.db.engine import Database, ReadSession
from inference_core.exceptions import InvalidInputError, NotFoundError
from inference_core.settings import Settings


@dataclass(frozen=True, slots=True)
class AdminService:
    """Acts for the superuser `caller_id`, whose request `logins` belongs to."""

    logins: LoginService
    caller_id: UUID

    async def page(self, session: ReadSession, search: str, offset: int, limit: int) -> tuple[list[Account], int]:
        """Accounts from `offset` on and how many match in all."""
        return await UserRepository(session).page(read_login(search), offset, limit)

    async def set_active(self, user_id: UUID, *, active: bool) -> Account:
        """Activate or deactivate; a deactivated account's sessions and access tokens end at once.

        Raises:
            InvalidInputError: if the caller would deactivate themselves.
            NotFoundError: if there is no such account.
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
        """End every session of an account; how many.

        Raises:
            NotFoundError: if there is no such account.
        """
        if await AccountReads(self.logins.database).by_id(user_id) is None:
            raise NotFoundError
        return await self.logins.end_all_sessions(user_id, by=self.caller_id)


async def create_superuser(settings: Settings, *, username: str, email: str, password: str) -> UUID:
    """Make an active, verified superuser in a migrated database; its id.

    Raises:
        InvalidInputError: if a value is not acceptable; the text says which and why.
        AccountExistsError: if the user name or the email is taken.
        DatabaseUnavailableError: if the database does not answer.
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
