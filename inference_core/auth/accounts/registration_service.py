"""Registration: open to everybody, by invitation, or by superusers only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.audit import audit
from inference_core.auth.errors import AccountExistsError, InvitationRequiredError, RegistrationClosedError
from inference_core.auth.invitations.repository import InvitationReads, InvitationRepository
from inference_core.auth.mail import names
from inference_core.auth.mail.mailing import Mailing
from inference_core.auth.mail.tokens import TOKEN_BYTES, token_hash
from inference_core.auth.models import User
from inference_core.auth.passwords.policy import check_new_password
from inference_core.auth.repository import UserRepository
from inference_core.auth.schemas import NewAccount, Registration
from inference_core.auth.settings import AuthSettings
from inference_core.auth.state import AuthState
from inference_core.auth.tokens.sessions import Client
from inference_core.core.addresses import address_prefix
from inference_core.core.db.engine import Database


@dataclass(frozen=True, slots=True)
class RegistrationService:
    """The service uses the write session of the request.

    Its transaction begins with the first statement, after any hashing.
    """

    settings: AuthSettings
    auth: AuthState
    database: Database
    session: AsyncSession
    client: Client
    mailing: Mailing

    async def register(self, registration: Registration) -> User | None:
        """Create an account as `REGISTRATION` allows. Return None if the caller must not learn whether it was created.

        Raises:
            RegistrationClosedError: Only superusers create accounts.
            InvitationRequiredError: There is no valid invitation of this email with this token.
            CommonPasswordError: The password is refused. The invitation stays valid.
            AccountExistsError: The user name or the email is taken. The invitation stays valid.
            ThrottledError: The limits of the caller's network are exceeded. The invitation stays valid.
            SessionStoreUnavailableError: Redis, by whose clock invitations expire, does not respond.
        """
        # Before any other work: a refusal must not depend on the accounts that exist.
        if self.settings.registration == "closed":
            raise RegistrationClosedError
        if self.settings.registration == "invite":
            return await self._register_invited(registration)
        if self.settings.hide_existing_accounts:
            await self._register_quietly(registration)
            return None
        return await self._register_openly(registration)

    async def create(self, account: NewAccount, by: UUID) -> User:
        """Create an account for the superuser `by`. Without a password, its owner gets a mail to choose one.

        Raises:
            CommonPasswordError: The password is refused.
            AccountExistsError: The user name or the email is taken.
            ThrottledError: The limits of the caller's network are exceeded, or the email has been sent too many mails.
        """
        if account.password is not None:
            check_new_password(account.password)
        await self._admit_hash()
        task = names.PASSWORD_RESET if account.password is None else names.EMAIL_VERIFICATION
        mailed = account.password is None or self.settings.verify_email
        if mailed:
            await self.mailing.require("invitation", account.email)
        # A random password that nobody knows. A login takes as long as with any other password.
        user = await self._user(account, account.password or secrets.token_urlsafe(TOKEN_BYTES))
        await self._add(user)
        audit("account_created", self.client, user.id, by=by)
        if mailed:
            await self.mailing.send_after_commit(self.session, task, user.email)
        return user

    async def _register_openly(self, registration: Registration) -> User:
        check_new_password(registration.password)
        await self._admit_hash()
        mailed = self.settings.verify_email and await self.mailing.may("notice", registration.email)
        user = await self._user(registration, registration.password)
        await self._add(user)
        audit("registered", self.client, user.id)
        if mailed:
            await self.mailing.send_after_commit(self.session, names.EMAIL_VERIFICATION, user.email)
        return user

    async def _register_quietly(self, registration: Registration) -> None:
        """Create an account that becomes valid when its email is confirmed.

        If the email has an account, tell its owner by mail. A taken user name causes no mail.
        """
        check_new_password(registration.password)
        await self._admit_hash()
        mailed = await self.mailing.may("notice", registration.email)
        user = await self._user(registration, registration.password)
        user.is_pending = True
        try:
            await self._add(user)
            audit("registered", self.client, user.id)
            name = names.EMAIL_VERIFICATION
        except AccountExistsError:
            await self.session.rollback()
            name = names.ACCOUNT_EXISTS
        if mailed:
            await self.mailing.send_after_commit(self.session, name, registration.email)

    async def _register_invited(self, registration: Registration) -> User:
        """Create a verified account: the token of the invitation was mailed to its email.

        The response can therefore show whether the email is taken, also with `HIDE_EXISTING_ACCOUNTS`.
        """
        if registration.invitation is None:
            raise InvitationRequiredError
        digest, now = token_hash(registration.invitation), await self.auth.clock.now()
        # Before the hashing, because an invented token must not cause this work.
        if not await InvitationReads(self.database).is_valid(digest, registration.email, now):
            audit("invitation_refused", self.client)
            raise InvitationRequiredError
        check_new_password(registration.password)
        await self._admit_hash()
        user = await self._user(registration, registration.password)
        user.is_verified = True
        # Several requests may have found the invitation. Only one of them takes it.
        invitation = await InvitationRepository(self.session).take(digest, registration.email, now)
        if invitation is None:
            audit("invitation_refused", self.client)
            raise InvitationRequiredError
        await self._add(user)
        audit("registered", self.client, user.id, by=invitation.invited_by, invitation_id=invitation.id)
        return user

    async def _user(self, account: Registration | NewAccount, password: str) -> User:
        return User(
            username=account.username,
            email=account.email,
            hashed_password=await self.auth.passwords.hash(password),
            first_name=account.first_name,
            last_name=account.last_name,
        )

    async def _add(self, user: User) -> None:
        try:
            await UserRepository(self.session).add(user)
        except IntegrityError as error:
            raise AccountExistsError from error

    async def _admit_hash(self) -> None:
        await self.auth.throttle.admit_hash(address_prefix(self.client.address))
