"""The tasks that send mail. What is secret in a mail is made here, so that it never waits in the broker."""

from __future__ import annotations

import asyncio
import smtplib
from typing import Any

import structlog
from celery import shared_task

from inference_core.auth.mailed_tokens import lifetime, make_mailed_token
from inference_core.auth.models import TokenPurpose
from inference_core.celery.base_task import ServiceTask
from inference_core.exceptions import DependencyUnavailableError
from inference_core.mail import names
from inference_core.mail.message import make_message
from inference_core.mail.transport import MailRefusedError, deliver
from inference_core.settings import Settings

log = structlog.get_logger(__name__)

# A mail server that is away for some minutes costs no mail: tries after about 2, 4, 8, ... seconds.
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
def send_password_reset(self: ServiceTask, email: str) -> None:
    """Mail a reset link, if there is such an account. A second run sends a second link; the first then counts not."""
    _send_token(self.app.settings, email, "reset", "password_reset")


@shared_task(name=names.EMAIL_VERIFICATION, **RETRIES)  # type: ignore[untyped-decorator]
def send_email_verification(self: ServiceTask, email: str) -> None:
    """Mail a link that confirms the address, if its account is not verified yet."""
    _send_token(self.app.settings, email, "verify", "email_verification")


@shared_task(name=names.EMAIL_CHANGED, **RETRIES)  # type: ignore[untyped-decorator]
def send_email_changed(self: ServiceTask, old_email: str, username: str) -> None:
    """Tell the old address that it is an account's no longer."""
    _send(self.app.settings, "email_changed", old_email, username=username)


@shared_task(name=names.ACCOUNT_EXISTS, **RETRIES)  # type: ignore[untyped-decorator]
def send_account_exists(self: ServiceTask, email: str) -> None:
    """Tell the address that a registration with it, or with the user name given beside it, was not made."""
    _send(self.app.settings, "account_exists", email)


def _send_token(settings: Settings, email: str, purpose: TokenPurpose, template: str) -> None:
    made = asyncio.run(make_mailed_token(settings, email, purpose))
    if made is None:
        log.info("mail_not_sent", template=template, because="no account to send it to")
        return
    minutes = int(lifetime(settings, purpose).total_seconds() // 60)
    _send(settings, template, email, username=made.account.username, token=made.token, minutes=minutes)


def _send(settings: Settings, template: str, to: str, **values: object) -> None:
    try:
        deliver(settings, make_message(settings, template, to, **values))
    except MailRefusedError as error:
        log.warning("mail_refused", template=template, reason=str(error))
    else:
        log.info("mail_sent", template=template)
