"""The mail that a development service has sent: files in its outbox folder."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from tests.support.processes import wait_until


def mails_to(outbox: Path, address: str) -> list[EmailMessage]:
    """The mails to one address, the oldest first."""
    mails = [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(outbox.glob("*.eml"))]
    return [mail for mail in mails if isinstance(mail, EmailMessage) and mail["To"] == address]


def wait_for_mails(outbox: Path, address: str, count: int) -> list[EmailMessage]:
    """The mails to one address, when there are so many."""
    wait_until(lambda: len(mails_to(outbox, address)) >= count, what=f"{count} mails to {address}")
    return mails_to(outbox, address)


def text_of(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link_in(mail: EmailMessage) -> str:
    """The link with a token in a mail."""
    found = re.search(r"http\S+#token=[A-Za-z0-9_-]+", text_of(mail))
    assert found is not None
    return found[0]


def token_in(mail: EmailMessage) -> str:
    """The token in a mail's link."""
    return link_in(mail).partition("#token=")[2]
