"""Create messages as plain text and HTML from the templates of a feature, which extend the layout of this one."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, make_msgid
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from inference_core.core.db.base import utc_now
from inference_core.mail.settings import MailSettings

# The longest line of RFC 5322. A shorter limit would encode and break the links, which people copy from the outbox.
LONG_LINES = EmailPolicy(max_line_length=998)


def make_message(
    settings: MailSettings, package: str, template: str, to: str, subject: str, **values: object
) -> EmailMessage:
    """Return the message of `template` in the folder `templates` of `package` to one address.

    Raises:
        jinja2.TemplateNotFound: There is no such template.
        jinja2.UndefinedError: A value of the template is missing.
    """
    values |= {"app_title": settings.app_title, "public_url": settings.public_url.rstrip("/")}
    message = EmailMessage(LONG_LINES)
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = make_msgid(domain=settings.mail_from.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_templates(package).get_template(f"{template}.txt.j2").render(values))
    message.add_alternative(_templates(package).get_template(f"{template}.html.j2").render(values), subtype="html")
    return message


@cache
def _templates(package: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("inference_core.mail")]),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
