"""Registration, profile and passwords."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.audit import audit
from inference_core.auth.errors import AccountExistsError, InvalidMailedTokenError, WrongPasswordError
from inference_core.auth.mailed_tokens import token_hash
from inference_core.auth.models import User
from inference_core.auth.policy import check_new_password
from inference_core.auth.repository import Account, UserRepository
from inference_core.auth.schemas import PasswordChange, PasswordReset, ProfileUpdate, Registration
from inference_core.auth.sessions import Client
from inference_core.auth.state import AuthState
from inference_core.auth.throttle import Attempt, address_prefix
from inference_core.celery.sender import BrokerUnavailableError, TaskSender
from inference_core.db.after_commit import after_commit
from inference_core.exceptions import NotAuthenticatedError, ThrottledError
from inference_core.mail import names
from inference_core.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccountService:
    """Works in the request's write session, whose transaction begins with the first statement, after any hashing."""

    settings: Settings
    auth: AuthState
    tasks: TaskSender
    session: AsyncSession
    client: Client

    @property
    def users(self) -> UserRepository:
        """The queries, in this session."""
        return UserRepository(self.session)

    async def register(self, registration: Registration) -> User:
        """Make an account.

        Raises:
            CommonPasswordError: if the password is refused.
            AccountExistsError: if the user name or the email is taken.
        """
        check_new_password(registration.password)
        user = User(
            username=registration.username,
            email=registration.email,
            hashed_password=await self.auth.passwords.hash(registration.password),
            first_name=registration.first_name,
            last_name=registration.last_name,
        )
        try:
            await self.users.add(user)
        except IntegrityError as error:
            raise AccountExistsError from error
        audit("registered", self.client, user.id)
        if self.settings.verify_email or self.settings.hide_existing_accounts:
            self._mail_after_commit(names.EMAIL_VERIFICATION, user.email)
        return user

    async def register_quietly(self, registration: Registration) -> None:
        """Make an account, or tell the address by mail why there is none: the caller learns neither.

        Raises:
            CommonPasswordError: if the password is refused.
        """
        try:
            await self.register(registration)
        except AccountExistsError:
            await self.session.rollback()
            self._mail_after_commit(names.ACCOUNT_EXISTS, registration.email)

    async def update_profile(self, account: Account, changes: ProfileUpdate) -> Account:
        """Change names, or the email together with the current password.

        Raises:
            WrongPasswordError: if the email is to change and the password is missing or wrong.
            AccountExistsError: if the new email is taken.
        """
        values = changes.model_dump(exclude_unset=True, exclude={"current_password"})
        if values.get("email") in {None, account.email}:
            values.pop("email", None)
        else:
            await self._require_password(account, changes.current_password)
            values["is_verified"] = False
        try:
            await self.users.change(account.id, **values)
        except IntegrityError as error:
            raise AccountExistsError from error
        changed = await self.users.by_id(account.id)
        if changed is None:
            raise NotAuthenticatedError
        if "email" in values:
            # What was mailed to the old address says nothing of the new one, and opens the account no longer.
            await self.users.forget_tokens(account.id)
            audit("email_changed", self.client, account.id)
            self._mail_after_commit(names.EMAIL_CHANGED, account.email, account.username)
            if self.settings.verify_email:
                self._mail_after_commit(names.EMAIL_VERIFICATION, changed.email)
        return changed

    async def change_password(self, account: Account, change: PasswordChange, session_id: str) -> None:
        """Set a new password; every session but the caller's ends.

        Raises:
            WrongPasswordError: if the current one is wrong, which counts like a failed login.
            CommonPasswordError: if the new one is refused.
        """
        await self._require_password(account, change.current_password)
        check_new_password(change.new_password)
        hashed = await self.auth.passwords.hash(change.new_password)
        if not await self.users.replace_password(account, hashed, kept_session_id=session_id):
            raise WrongPasswordError  # it was changed by another request meanwhile
        # Before the commit: a store that does not answer must leave the old password and the old sessions alike.
        await self.auth.sessions.end_all(account.id, keep=session_id)
        audit("password_changed", self.client, account.id, session_id)

    async def reset_password(self, reset: PasswordReset) -> None:
        """Set a new password with a mailed token; every session ends.

        Raises:
            CommonPasswordError: if the new password is refused; the token stays good.
            InvalidMailedTokenError: if the token is unknown, used or expired.
        """
        check_new_password(reset.new_password)
        hashed = await self.auth.passwords.hash(reset.new_password)
        user_id = await self.users.take_token("reset", token_hash(reset.token))
        if user_id is None:
            raise InvalidMailedTokenError
        await self.users.set_password(user_id, hashed, kept_session_id=None)
        await self.auth.sessions.end_all(user_id)
        # Whoever reads the account's mail is not the one who was guessing.
        await self.auth.throttle.clear(self._attempt(user_id))
        audit("password_reset", self.client, user_id)

    async def verify_email(self, token: str) -> None:
        """Confirm an email with a mailed token.

        Raises:
            InvalidMailedTokenError: if the token is unknown, used or expired.
        """
        user_id = await self.users.take_token("verify", token_hash(token))
        if user_id is None:
            raise InvalidMailedTokenError
        await self.users.change(user_id, is_verified=True)
        audit("email_verified", self.client, user_id)

    async def ask_for_mail(self, name: str, email: str) -> None:
        """Send a mail task that anybody can ask for, unless the address has had enough of them for this hour.

        Raises:
            BrokerUnavailableError: if the task queue takes no messages; the same for known and unknown addresses.
        """
        if await self.auth.throttle.may_mail(email):
            await self.tasks.send(name, email)

    def _mail_after_commit(self, name: str, *args: str) -> None:
        async def send() -> None:
            try:
                await self.tasks.send(name, *args)
            except BrokerUnavailableError:
                # What was committed stands and is what was asked for; a lost notice must not make it an error.
                log.warning("notice_not_sent", task=name)

        after_commit(self.session, send)

    async def _require_password(self, account: Account, password: str | None) -> None:
        if password is None:
            raise WrongPasswordError("Give the current password to change the email.")
        attempt = self._attempt(account.id)
        await self._check_throttle(attempt, account)
        matches, _ = await self.auth.passwords.verify(password, account.hashed_password)
        if not matches:
            await self.auth.throttle.failed(attempt)
            audit("password_check_failed", self.client, account.id)
            raise WrongPasswordError
        # Again: of many guesses at once, all may have passed before the first was counted.
        await self._check_throttle(attempt, account)

    async def _check_throttle(self, attempt: Attempt, account: Account) -> None:
        try:
            await self.auth.throttle.check(attempt)
        except ThrottledError:
            audit("password_check_throttled", self.client, account.id)
            raise

    def _attempt(self, user_id: UUID) -> Attempt:
        return Attempt(str(user_id), address_prefix(self.client.address))
