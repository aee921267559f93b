"""Create messages as plain text and HTML from the templates in this folder."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from inference_core.core.db.base import utc_now
from inference_core.core.settings import Settings

SUBJECTS = {
    "password_reset": "Reset your password",
    "email_verification": "Confirm your email address",
    "email_changed": "Your email address was changed",
    "account_exists": "You already have an account",
    "failed_logins": "Many failed logins to your account",
}


def make_message(settings: Settings, template: str, to: str, **values: object) -> EmailMessage:
    """Return the message of `template` to one address.

    Raises:
        KeyError, jinja2.TemplateNotFound: There is no such template.
        jinja2.UndefinedError: A value of the template is missing.
    """
    values |= {"app_title": settings.app_title, "public_url": settings.public_url.rstrip("/")}
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = f"{settings.app_title}: {SUBJECTS[template]}"
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = make_msgid(domain=settings.mail_from.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_templates().get_template(f"{template}.txt.j2").render(values))
    message.add_alternative(_templates().get_template(f"{template}.html.j2").render(values), subtype="html")
    return message


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("inference_core.mail"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
