"""The transports of mail: files in a development outbox, or SMTP. They block, and are for workers only."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
import time
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

from inference_core.core.db.base import utc_now
from inference_core.core.loggers import get_logger
from inference_core.core.settings import Settings
from inference_core.mail.settings import MailSettings

log = get_logger(__name__)

PERMANENT_FAILURE = 500
DAY_S = 24 * 3600


class MailRefusedError(Exception):
    """Raised if the mail server refuses a message permanently."""


def deliver(settings: MailSettings, message: EmailMessage) -> None:
    """Send one message.

    Raises:
        MailRefusedError: The server refuses the message permanently.
        OSError, smtplib.SMTPException: The message can be sent again later.
    """
    if settings.mail_transport == "smtp":
        _send_by_smtp(settings, message)
    else:
        _write_to_outbox(settings, message)


def _write_to_outbox(settings: MailSettings, message: EmailMessage) -> None:
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


def _send_by_smtp(settings: MailSettings, message: EmailMessage) -> None:
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


async def purge_outbox(settings: Settings) -> int:
    """Delete the mails of the development outbox after `MAIL_OUTBOX_KEEP_DAYS`. Return their number."""
    mail = settings.of(MailSettings)
    return await asyncio.to_thread(delete_mails, mail.mail_outbox_dir, older_than_s=mail.mail_outbox_keep_days * DAY_S)


def delete_mails(folder: Path, *, older_than_s: float) -> int:
    """Delete older mails of an outbox. Return their number. Other files are kept."""
    if not folder.is_dir():
        return 0
    limit = time.time() - older_than_s
    deleted = 0
    for path in folder.glob("*.eml"):
        try:
            if path.is_file() and path.stat().st_mtime < limit:
                path.unlink()
                deleted += 1
        except OSError as error:
            log.warning("mail_not_deleted", name=path.name, error=type(error).__name__)
    return deleted


def announce(settings: Settings, _: str) -> Mapping[str, object]:
    """Return where the mails of the development outbox are."""
    mail = settings.of(MailSettings)
    return {"Mail outbox": mail.mail_outbox_dir} if mail.mail_transport == "outbox" else {}
