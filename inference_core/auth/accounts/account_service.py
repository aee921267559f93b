"""Profile and passwords."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.api_keys.service import revoke_all
from inference_core.auth.audit import audit
from inference_core.auth.errors import AccountExistsError, InvalidMailedTokenError, WrongPasswordError
from inference_core.auth.limits.throttle import Attempt
from inference_core.auth.mail import names
from inference_core.auth.mail.mailing import Mailing
from inference_core.auth.mail.tokens import token_hash
from inference_core.auth.models import TokenPurpose
from inference_core.auth.passwords.policy import check_new_password
from inference_core.auth.repository import Account, AccountReads, UserRepository
from inference_core.auth.schemas import PasswordChange, PasswordReset, ProfileUpdate
from inference_core.auth.settings import AuthSettings
from inference_core.auth.state import AuthState
from inference_core.auth.tokens.sessions import Client
from inference_core.core.addresses import address_prefix
from inference_core.core.db.engine import Database
from inference_core.core.exceptions import NotAuthenticatedError, ThrottledError


@dataclass(frozen=True, slots=True)
class AccountService:
    """The service uses the write session of the request.

    Its transaction begins with the first statement, after any hashing.
    """

    settings: AuthSettings
    auth: AuthState
    database: Database
    session: AsyncSession
    client: Client
    mailing: Mailing

    @property
    def users(self) -> UserRepository:
        """Return the repository of this session."""
        return UserRepository(self.session)

    async def update_profile(self, account: Account, changes: ProfileUpdate) -> Account:
        """Change the names or, with the current password, the email.

        With `HIDE_EXISTING_ACCOUNTS`, a new email becomes valid when its mailed link is opened, and the response does
        not show whether it is taken.

        Raises:
            WrongPasswordError: The email is to change, and the password is missing or wrong.
            AccountExistsError: The new email is taken.
            ThrottledError: There were too many wrong passwords, or the limits of the caller's network are exceeded.
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
        """Set a new password. All sessions except the caller's end, and all API keys unless they are to be kept.

        Raises:
            WrongPasswordError: The current password is wrong, which counts as a failed login.
            CommonPasswordError: The new password is refused.
        """
        await self._require_password(account, change.current_password)
        check_new_password(change.new_password)
        hashed = await self.auth.passwords.hash(change.new_password)
        if not await self.users.replace_password(account, hashed, kept_session_id=session_id):
            raise WrongPasswordError  # it was changed by another request meanwhile
        if not change.keep_api_keys:
            await revoke_all(self.session, self.client, account.id)
        # Before the commit: if Redis does not respond, both the old password and the old sessions must remain.
        await self.auth.sessions.end_all(account.id, keep=session_id)
        audit("password_changed", self.client, account.id, session_id)

    async def reset_password(self, reset: PasswordReset) -> None:
        """Set a new password with a mailed token. This also confirms the email and ends all sessions and API keys.

        Raises:
            CommonPasswordError: The new password is refused. The token stays valid.
            InvalidMailedTokenError: The token is unknown, used or expired.
            ThrottledError: The limits of the caller's network are exceeded. The token stays valid.
        """
        check_new_password(reset.new_password)
        digest, now = token_hash(reset.token), await self.auth.clock.now()
        # Before the hashing, because an invented token must not cause this work.
        stored = await AccountReads(self.database).mailed_token("reset", digest)
        if stored is None or stored.expires_at <= now:
            raise InvalidMailedTokenError
        await self.auth.throttle.admit_hash(address_prefix(self.client.address))
        hashed = await self.auth.passwords.hash(reset.new_password)
        if await self.users.take_token("reset", digest, now) is None:
            raise InvalidMailedTokenError
        user_id = stored.user_id
        await self.users.set_password(user_id, hashed, kept_session_id=None)
        await revoke_all(self.session, self.client, user_id)
        await self.users.change(user_id, is_verified=True, is_pending=False)
        account = await self.users.by_id(user_id)
        await self.auth.sessions.end_all(user_id)
        if account is not None:
            # The reader of the account's mail is not the client that guessed passwords.
            await self.auth.throttle.clear([self._attempt(account.username), self._attempt(account.email)])
        audit("password_reset", self.client, user_id)

    async def verify_email(self, token: str) -> None:
        """Confirm an email with a mailed token. A new email replaces the email of the account.

        Raises:
            InvalidMailedTokenError: The token is unknown, used or expired, or its email was taken meanwhile.
        """
        digest, now = token_hash(token), await self.auth.clock.now()
        reads = AccountReads(self.database)
        purpose: TokenPurpose = "verify" if await reads.mailed_token("verify", digest) else "email"
        # A token that does not exist must not block the writers of the database.
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
        """Request a mail with a reset link, unless the hourly limit of the address is reached.

        Raises:
            ThrottledError: The caller's network has requested too many mails.
            BrokerUnavailableError: The task queue is not available. This does not depend on whether the address is
                known.
        """
        await self.mailing.ask(names.PASSWORD_RESET, "reset", email)

    async def ask_for_verification(self, account: Account) -> None:
        """Request a mail with a link that confirms the email, unless the hourly limit of the address is reached.

        Raises:
            ThrottledError: The caller's network has requested too many mails.
            BrokerUnavailableError: The task queue is not available.
        """
        await self.mailing.ask(names.EMAIL_VERIFICATION, "verification", account.email)

    async def _email_changed(self, account: Account, *, tell_old: bool) -> None:
        # Tokens that were mailed to the old address prove nothing about the new one, and must not be valid any longer.
        await self.users.forget_tokens(account.id)
        audit("email_changed", self.client, account.id)
        if tell_old:
            await self.mailing.send_after_commit(self.session, names.EMAIL_CHANGED, account.email, account.username)

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
            # Check again: many simultaneous guesses can pass before the first of them is counted.
            await self.auth.throttle.check(attempt)
        except ThrottledError:
            audit("password_check_throttled", self.client, account.id)
            raise
        await self.auth.throttle.passed(attempt, over_account_limit=True)

    def _attempt(self, login: str) -> Attempt:
        return Attempt(login, address_prefix(self.client.address))
