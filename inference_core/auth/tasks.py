"""The tasks that send mail. They create the secrets of a mail, so the broker never contains them."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from uuid import UUID

from celery import shared_task

from inference_core.auth.invitations.service import make_invitation_token
from inference_core.auth.mail import names
from inference_core.auth.mail.due import is_mail_due, mail_is_done, take_due_mails
from inference_core.auth.mail.tokens import (
    MailedToken,
    account_behind,
    lifetime,
    make_email_change_token,
    make_mailed_token,
)
from inference_core.auth.models import TokenPurpose
from inference_core.auth.settings import AuthSettings
from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.loggers import get_logger
from inference_core.core.queue.base_task import ServiceTask
from inference_core.core.settings import Settings
from inference_core.mail.message import make_message
from inference_core.mail.settings import MailSettings
from inference_core.mail.transport import MailRefusedError, deliver

log = get_logger(__name__)

SUBJECTS = {
    "password_reset": "Reset your password",
    "email_verification": "Confirm your email address",
    "email_changed": "Your email address was changed",
    "account_exists": "You already have an account",
    "failed_logins": "Many failed logins to your account",
    "invitation": "Your invitation",
}

# No mail is lost if the mail server is unavailable for some minutes. Retries follow after about 2, 4, 8, ... seconds.
RETRIES: dict[str, Any] = {
    "bind": True,
    "base": ServiceTask,
    "ignore_result": True,
    "autoretry_for": (OSError, smtplib.SMTPException, DependencyUnavailableError),
    "max_retries": 8,
    "retry_backoff": 2,
    "retry_backoff_max": 300,
    "retry_jitter": True,
}


@shared_task(name=names.PASSWORD_RESET, **RETRIES)  # type: ignore[untyped-decorator]  # Celery ships no types
def send_password_reset(self: ServiceTask, email: str, *, due: bool = False) -> None:
    """Mail a reset link if the account exists. A second run sends a second link; both are valid."""
    with _unless_done(self, due=due) as is_due:
        if is_due:
            _send_token(_settings(self), email, "reset", "password_reset")


@shared_task(name=names.EMAIL_VERIFICATION, **RETRIES)  # type: ignore[untyped-decorator]
def send_email_verification(self: ServiceTask, email: str, *, due: bool = False) -> None:
    """Mail a link that confirms the address if its account is not verified yet."""
    with _unless_done(self, due=due) as is_due:
        if is_due:
            _send_token(_settings(self), email, "verify", "email_verification")


@shared_task(name=names.EMAIL_CHANGE, **RETRIES)  # type: ignore[untyped-decorator]
def send_email_change(self: ServiceTask, user_id: str, new_email: str, *, due: bool = False) -> None:
    """Mail the new address a link that confirms it. If it already has an account, tell its owner."""
    settings = _settings(self)
    with _unless_done(self, due=due) as is_due:
        if not is_due:
            return
        made = asyncio.run(make_email_change_token(settings, UUID(user_id), new_email))
        if made is None:
            _send_to_account(settings, "account_exists", new_email)
        else:
            _send_link(settings, "email_verification", new_email, made, "email")


@shared_task(name=names.EMAIL_CHANGED, **RETRIES)  # type: ignore[untyped-decorator]
def send_email_changed(self: ServiceTask, old_email: str, username: str, *, due: bool = False) -> None:
    """Tell the old address that it no longer belongs to the account."""
    with _unless_done(self, due=due) as is_due:
        if is_due:
            _send(_settings(self), "email_changed", old_email, username=username)


@shared_task(name=names.ACCOUNT_EXISTS, **RETRIES)  # type: ignore[untyped-decorator]
def send_account_exists(self: ServiceTask, email: str, *, due: bool = False) -> None:
    """Tell the owner of an account about a registration with their email. Nobody else gets a mail."""
    with _unless_done(self, due=due) as is_due:
        if is_due:
            _send_to_account(_settings(self), "account_exists", email)


@shared_task(name=names.FAILED_LOGINS, **RETRIES)  # type: ignore[untyped-decorator]
def send_failed_logins(self: ServiceTask, login: str) -> None:
    """Warn the owner of an account about failed logins, if the account exists."""
    _send_to_account(_settings(self), "failed_logins", login)


@shared_task(name=names.INVITATION, **RETRIES)  # type: ignore[untyped-decorator]
def send_invitation(self: ServiceTask, invitation_id: str, *, due: bool = False) -> None:
    """Mail an open invitation. A second run sends a second link, and the first one is no longer valid."""
    settings = _settings(self)
    with _unless_done(self, due=due) as is_due:
        if not is_due:
            return
        made = asyncio.run(make_invitation_token(settings, UUID(invitation_id)))
        if made is None:
            log.info("mail_not_sent", template="invitation", because="the invitation is not open")
        else:
            invitation, token = made
            _send(settings, "invitation", invitation.email, token=token, invitation=invitation)


@shared_task(name=names.SEND_DUE, bind=True)  # type: ignore[untyped-decorator]
def send_due(self: ServiceTask) -> int:
    """Send committed mails again whose tasks were lost. Return their number."""
    mails = asyncio.run(take_due_mails(_settings(self)))
    for mail in mails:
        self.app.send_task(mail.task, mail.arguments, {"due": True}, task_id=str(mail.id), argsrepr="(...)")
    return len(mails)


@contextmanager
def _unless_done(task: ServiceTask, *, due: bool) -> Iterator[bool]:
    """Return whether to send a mail. A committed mail (`due`) is sent until its first task has finished."""
    if not due:
        yield True
        return
    settings, mail_id = _settings(task), UUID(task.request.id)
    is_due = asyncio.run(is_mail_due(settings, mail_id))
    yield is_due
    if is_due:
        asyncio.run(mail_is_done(settings, mail_id))


def _settings(task: ServiceTask) -> AuthSettings:
    settings: Settings = task.app.settings
    return settings.of(AuthSettings)


def _send_token(settings: AuthSettings, email: str, purpose: Literal["reset", "verify"], template: str) -> None:
    made = asyncio.run(make_mailed_token(settings, email, purpose))
    if made is None:
        _log_nobody(template)
    else:
        _send_link(settings, template, email, made, purpose)


def _send_link(settings: AuthSettings, template: str, to: str, made: MailedToken, purpose: TokenPurpose) -> None:
    minutes = int(lifetime(settings, purpose).total_seconds() // 60)
    _send(settings, template, to, username=made.account.username, token=made.token, minutes=minutes)


def _send_to_account(settings: AuthSettings, template: str, login: str) -> None:
    account = asyncio.run(account_behind(settings, login))
    if account is None:
        _log_nobody(template)
    else:
        _send(settings, template, account.email, username=account.username)


def _log_nobody(template: str) -> None:
    log.info("mail_not_sent", template=template, because="no account to send it to")


def _send(settings: AuthSettings, template: str, to: str, **values: object) -> None:
    try:
        mail = settings.of(MailSettings)
        subject = f"{settings.app_title}: {SUBJECTS[template]}"
        deliver(mail, make_message(mail, "inference_core.auth.mail", template, to, subject, **values))
    except MailRefusedError as error:
        log.warning("mail_refused", template=template, reason=str(error))
    else:
        log.info("mail_sent", template=template)
