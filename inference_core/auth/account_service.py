"""Registration, profile and passwords."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.audit import audit
from inference_core.auth.errors import AccountExistsError, InvalidMailedTokenError, WrongPasswordError
from inference_core.auth.mailed_tokens import token_hash
from inference_core.auth.mailing import Mailing
from inference_core.auth.models import TokenPurpose, User
from inference_core.auth.policy import check_new_password
from inference_core.auth.repository import Account, AccountReads, UserRepository
from inference_core.auth.schemas import PasswordChange, PasswordReset, ProfileUpdate, Registration
from inference_core.auth.sessions import Client
from inference_core.auth.state import AuthState
from inference_core.auth.throttle import Attempt, address_prefix
from inference_core.db.engine import Database
from inference_core.exceptions import NotAuthenticatedError, ThrottledError
from inference_core.loggers import get_logger
from inference_core.mail import names
from inference_core.redis.errors import SessionStoreUnavailableError
from inference_core.settings import Settings

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccountService:
    """Works in the request's write session, whose transaction begins with the first statement, after any hashing."""

    settings: Settings
    auth: AuthState
    database: Database
    session: AsyncSession
    client: Client
    mailing: Mailing

    @property
    def users(self) -> UserRepository:
        """The queries, in this session."""
        return UserRepository(self.session)

    async def register(self, registration: Registration) -> User:
        """Make an account.

        Raises:
            CommonPasswordError: if the password is refused.
            AccountExistsError: if the user name or the email is taken.
            ThrottledError: if the caller's network has asked for too much.
        """
        check_new_password(registration.password)
        await self._admit_hash()
        mailed = self.settings.verify_email and await self.mailing.may("notice", registration.email)
        user = await self._add(registration, is_pending=False)
        if mailed:
            await self.mailing.send_after_commit(self.session, names.EMAIL_VERIFICATION, user.email)
        return user

    async def register_quietly(self, registration: Registration) -> None:
        """Make an account that counts once its email is confirmed, or tell the owner of the email that it has one.

        The caller learns neither. Nobody is told that a user name is taken.

        Raises:
            CommonPasswordError: if the password is refused.
            ThrottledError: if the caller's network has asked for too much.
        """
        check_new_password(registration.password)
        await self._admit_hash()
        mailed = await self.mailing.may("notice", registration.email)
        try:
            await self._add(registration, is_pending=True)
            name = names.EMAIL_VERIFICATION
        except AccountExistsError:
            await self.session.rollback()
            name = names.ACCOUNT_EXISTS
        if mailed:
            await self.mailing.send_after_commit(self.session, name, registration.email)

    async def update_profile(self, account: Account, changes: ProfileUpdate) -> Account:
        """Change names, or the email together with the current password.

        With `HIDE_EXISTING_ACCOUNTS` a new email counts once a link mailed to it was followed, taken or not.

        Raises:
            WrongPasswordError: if the email is to change and the password is missing or wrong.
            AccountExistsError: if the new email is taken.
            ThrottledError: after too many wrong passwords, or if the caller's network has asked for too much.
        """
        values = changes.model_dump(exclude_unset=True, exclude={"email", "current_password"})
        email = None if changes.email == account.email else changes.email
        told = {"old": False, "new": False}
        if email is not None:
            await self._require_password(account, changes.current_password)
            told["new"] = await self.mailing.may("notice", email)
            if not self.settings.hide_existing_accounts:
                told["old"] = await self.mailing.may("notice", account.email)
                values |= {"email": email, "is_verified": False}
        try:
            await self.users.change(account.id, **values)
        except IntegrityError as error:
            raise AccountExistsError from error
        changed = await self.users.by_id(account.id)
        if changed is None:
            raise NotAuthenticatedError
        if email is None:
            return changed
        if self.settings.hide_existing_accounts:
            audit("email_change_asked", self.client, account.id)
            if told["new"]:
                await self.mailing.send_after_commit(self.session, names.EMAIL_CHANGE, str(account.id), email)
            return changed
        await self._email_changed(account, tell_old=told["old"])
        if told["new"] and self.settings.verify_email:
            await self.mailing.send_after_commit(self.session, names.EMAIL_VERIFICATION, email)
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
        """Set a new password with a mailed token, which confirms the email as well; every session ends.

        Raises:
            CommonPasswordError: if the new password is refused; the token stays good.
            InvalidMailedTokenError: if the token is unknown, used or expired.
            ThrottledError: if the caller's network has asked for too much; the token stays good.
        """
        check_new_password(reset.new_password)
        digest, now = token_hash(reset.token), await self.auth.clock.now()
        # Before the work of hashing, which a made-up token must not cause.
        stored = await AccountReads(self.database).mailed_token("reset", digest)
        if stored is None or stored.expires_at <= now:
            raise InvalidMailedTokenError
        await self._admit_hash()
        hashed = await self.auth.passwords.hash(reset.new_password)
        if await self.users.take_token("reset", digest, now) is None:
            raise InvalidMailedTokenError
        user_id = stored.user_id
        await self.users.set_password(user_id, hashed, kept_session_id=None)
        await self.users.change(user_id, is_verified=True, is_pending=False)
        account = await self.users.by_id(user_id)
        await self.auth.sessions.end_all(user_id)
        if account is not None:
            # Whoever reads the account's mail is not the one who was guessing.
            await self.auth.throttle.clear([self._attempt(account.username), self._attempt(account.email)])
        audit("password_reset", self.client, user_id)

    async def verify_email(self, token: str) -> None:
        """Confirm an email with a mailed token; a new one replaces the account's.

        Raises:
            InvalidMailedTokenError: if the token is unknown, used or expired, or its email was taken meanwhile.
        """
        digest, now = token_hash(token), await self.auth.clock.now()
        reads = AccountReads(self.database)
        purpose: TokenPurpose = "verify" if await reads.mailed_token("verify", digest) else "email"
        # A token that is not there must not make the database's writers wait.
        if purpose == "email" and not await reads.mailed_token("email", digest):
            raise InvalidMailedTokenError
        taken = await self.users.take_token(purpose, digest, now)
        account = await self.users.by_id(taken.user_id) if taken else None
        if taken is None or account is None:
            raise InvalidMailedTokenError
        if taken.email is None:
            await self.users.change(account.id, is_verified=True, is_pending=False)
            audit("email_verified", self.client, account.id)
            return
        try:
            await self.users.change(account.id, email=taken.email, is_verified=True)
        except IntegrityError as error:
            raise InvalidMailedTokenError from error
        await self._email_changed(account, tell_old=await self.mailing.may("notice", account.email))

    async def ask_for_reset(self, email: str) -> None:
        """Have a reset link mailed, unless the address has had enough of them for this hour.

        Raises:
            ThrottledError: if the caller's network has asked for too many mails.
            BrokerUnavailableError: if the task queue takes no messages; the same for known and unknown addresses.
        """
        await self.mailing.ask(names.PASSWORD_RESET, "reset", email)

    async def ask_for_verification(self, account: Account) -> None:
        """Have a link mailed that confirms the account's email, unless it has had enough of them for this hour.

        Raises:
            ThrottledError: if the caller's network has asked for too many mails.
            BrokerUnavailableError: if the task queue takes no messages.
        """
        await self.mailing.ask(names.EMAIL_VERIFICATION, "verification", account.email)

    async def _add(self, registration: Registration, *, is_pending: bool) -> User:
        user = User(
            username=registration.username,
            email=registration.email,
            hashed_password=await self.auth.passwords.hash(registration.password),
            first_name=registration.first_name,
            last_name=registration.last_name,
            is_pending=is_pending,
        )
        try:
            await self.users.add(user)
        except IntegrityError as error:
            raise AccountExistsError from error
        audit("registered", self.client, user.id)
        return user

    async def _email_changed(self, account: Account, *, tell_old: bool) -> None:
        # What was mailed to the old address says nothing of the new one, and opens the account no longer.
        await self.users.forget_tokens(account.id)
        audit("email_changed", self.client, account.id)
        if tell_old:
            await self.mailing.send_after_commit(self.session, names.EMAIL_CHANGED, account.email, account.username)

    async def _admit_hash(self) -> None:
        try:
            await self.auth.throttle.admit_hash(address_prefix(self.client.address))
        except SessionStoreUnavailableError:
            # What is counted here is load alone, and a flood cannot log in while Redis is away.
            log.warning("hash_not_counted")

    async def _require_password(self, account: Account, password: str | None) -> None:
        if password is None:
            raise WrongPasswordError("Give the current password to change the email.")
        attempt = self._attempt(account.username)
        try:
            await self.auth.throttle.admit(attempt, over_account_limit=True)
            matches, _ = await self.auth.passwords.verify(password, account.hashed_password)
            if not matches:
                await self.auth.throttle.failed(attempt)
                audit("password_check_failed", self.client, account.id)
                raise WrongPasswordError
            # Again: of many guesses at once, all may have passed before the first was counted.
            await self.auth.throttle.check(attempt)
        except ThrottledError:
            audit("password_check_throttled", self.client, account.id)
            raise
        await self.auth.throttle.passed(attempt, over_account_limit=True)

    def _attempt(self, login: str) -> Attempt:
        return Attempt(login, address_prefix(self.client.address))
