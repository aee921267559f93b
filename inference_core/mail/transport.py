"""The transports of mail: files in a development outbox, or SMTP. They block, and are for workers only."""

from __future__ import annotations

import os
import smtplib
import ssl
from email.message import EmailMessage
from uuid import uuid4

from inference_core.core.db.base import utc_now
from inference_core.core.settings import Settings

PERMANENT_FAILURE = 500


class MailRefusedError(Exception):
    """Raised if the mail server refuses a message permanently."""


def deliver(settings: Settings, message: EmailMessage) -> None:
    """Send one message.

    Raises:
        MailRefusedError: The server refuses the message permanently.
        OSError, smtplib.SMTPException: The message can be sent again later.
    """
    if settings.mail_transport == "smtp":
        _send_by_smtp(settings, message)
    else:
        _write_to_outbox(settings, message)


def _write_to_outbox(settings: Settings, message: EmailMessage) -> None:
    """Write the file atomically: write it under another name and rename it."""
    folder = settings.mail_outbox_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{utc_now():%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}"
    part = folder / f".{name}.part"
    # Links in mails are secret, so only the owner can read the file, from its creation on.
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(message.as_bytes())
    part.rename(folder / f"{name}.eml")


def _send_by_smtp(settings: Settings, message: EmailMessage) -> None:
    timeout_s = settings.smtp_timeout_s
    context = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(settings.smtp_host, settings.smtp_port, timeout=timeout_s, context=context)
        if settings.smtp_security == "tls"
        else smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=timeout_s)
    ) as server:
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_username:
            server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            if all(code >= PERMANENT_FAILURE for code in codes):
                raise MailRefusedError(f"the mail server refused the recipient with {codes}") from None
            raise
        except smtplib.SMTPDataError as error:
            if error.smtp_code >= PERMANENT_FAILURE:
                raise MailRefusedError(f"the mail server refused the message with {error.smtp_code}") from None
            raise
