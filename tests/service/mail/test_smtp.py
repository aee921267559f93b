"""Mail over SMTP, against a real server on the loopback."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from inference_core.app.stack.ports import LOOPBACK, free_port
from inference_core.auth.tasks import send_email_changed
from inference_core.mail.message import make_message
from inference_core.mail.transport import MailRefusedError, deliver
from tests.support.settings import Settings, service


class Mailbox:
    """What the server received; `answer` may be set to a refusal."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.answer = "250 OK"
        self.recipient_answer = "250 OK"

    async def handle_RCPT(self, _: Any, __: Any, envelope: Envelope, address: str, ___: Any) -> str:
        if self.recipient_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, _: Any, __: Any, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
        return self.answer

    def only_message(self) -> EmailMessage:
        (envelope,) = self.envelopes
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        return message


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def serve(mailbox: Mailbox, **options: Any) -> Iterator[Settings]:
    controller = Controller(mailbox, hostname=LOOPBACK, port=free_port(), **options)
    controller.start()
    try:
        yield smtp_settings(controller.port)
    finally:
        controller.stop()


def smtp_settings(port: int, **changes: Any) -> Settings:
    own = {"mail_transport": "smtp", "smtp_host": LOOPBACK, "smtp_port": port, "smtp_security": "none"}
    return Settings(_env_file=None, mail_from="service@example.com", smtp_timeout_s=3, **(own | changes))


@pytest.fixture
def settings(mailbox: Mailbox) -> Iterator[Settings]:
    yield from serve(mailbox)


@pytest.fixture
def password_server(mailbox: Mailbox) -> Iterator[Settings]:
    def check(*arguments: Any) -> AuthResult:
        given = arguments[-1]
        assert isinstance(given, LoginPassword)
        return AuthResult(success=(given.login, given.password) == (b"service", b"mail-secret"), handled=False)

    yield from serve(mailbox, authenticator=check, auth_required=True, auth_require_tls=False)


def notice(settings: Settings) -> EmailMessage:
    return make_message(
        settings, "inference_core.auth.mail", "email_changed", "old@example.com", "It was changed", username="alice"
    )


def test_a_message_arrives_as_text_and_html(settings: Settings, mailbox: Mailbox) -> None:
    deliver(settings, notice(settings))
    message = mailbox.only_message()
    assert mailbox.envelopes[0].rcpt_tos == ["old@example.com"]
    assert (message["From"], message["To"]) == ("service@example.com", "old@example.com")
    assert "was changed" in message["Subject"]
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert "alice" in body.get_content()


def test_the_file_of_a_mail_contains_its_link_as_it_is(settings: Settings) -> None:
    values = {"username": "alice", "minutes": 30, "token": "t" * 60}
    message = make_message(settings, "inference_core.auth.mail", "password_reset", "a@example.com", "Reset", **values)
    link = f"{settings.public_url}/reset-password#token={values['token']}"
    assert f"\n{link}\n" in message.as_string()
    assert f'href="{link}"' in message.as_string()


def test_html_is_escaped_and_text_is_not(settings: Settings) -> None:
    message = make_message(
        settings, "inference_core.auth.mail", "email_changed", "old@example.com", "It was changed", username="<b>&"
    )
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "&lt;b&gt;&amp;" in html.get_content()
    assert "<b>&" in text.get_content()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS", "ignore:Session.login_data is deprecated")
def test_it_logs_in_where_the_server_wants_that(password_server: Settings, mailbox: Mailbox) -> None:
    known = {"smtp_username": "service", "smtp_password": "mail-secret"}
    settings = smtp_settings(password_server.smtp_port, **known)
    deliver(settings, notice(settings))
    assert len(mailbox.envelopes) == 1
    wrong = smtp_settings(password_server.smtp_port, **known | {"smtp_password": "guess"})
    with pytest.raises(smtplib.SMTPAuthenticationError):
        deliver(wrong, notice(wrong))


def test_no_mail_leaves_in_clear_where_tls_was_asked_for(settings: Settings, mailbox: Mailbox) -> None:
    for security, error in (("starttls", smtplib.SMTPNotSupportedError), ("tls", OSError)):
        secured = smtp_settings(settings.smtp_port, smtp_security=security)
        with pytest.raises(error):
            deliver(secured, notice(secured))
    assert mailbox.envelopes == []


@pytest.mark.parametrize(
    ("answer", "error"), [("550 no such user", MailRefusedError), ("451 later", smtplib.SMTPException)]
)
@pytest.mark.parametrize("where", ["answer", "recipient_answer"])
def test_a_refusal_for_good_is_told_from_one_for_now(
    settings: Settings, mailbox: Mailbox, where: str, answer: str, error: type[Exception]
) -> None:
    setattr(mailbox, where, answer)
    with pytest.raises(error):
        deliver(settings, notice(settings))


class RetriedError(Exception):
    """Celery was asked to run the task again."""


@pytest.fixture
def run_task(monkeypatch: pytest.MonkeyPatch) -> Callable[[Settings], None]:
    """Runs a mail task in this process, under an application with the given settings."""

    def run(settings: Settings) -> None:
        from inference_core.core.queue.app import create_celery

        app = create_celery(service, settings, "client")
        app.autodiscover_tasks(["inference_core.mail"], force=True)
        task = app.tasks[send_email_changed.name]
        monkeypatch.setattr(type(task), "retry", retry)
        task.run("old@example.com", "alice")

    def retry(self: Any, *_: Any, exc: Exception, **__: Any) -> Exception:
        raise RetriedError from exc

    return run


def test_a_server_that_is_away_is_tried_again(run_task: Callable[[Settings], None]) -> None:
    with pytest.raises(RetriedError) as raised:
        run_task(smtp_settings(free_port()))
    assert isinstance(raised.value.__cause__, ConnectionRefusedError)


def test_a_mail_that_is_refused_for_good_is_given_up(
    run_task: Callable[[Settings], None], settings: Settings, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.recipient_answer = "550 no such user"
    run_task(settings)
    assert mailbox.envelopes == []
    ours = [str(record.msg) for record in caplog.records if record.name.startswith("inference_core")]
    assert "old@example.com" not in "".join(ours)
    mailbox.recipient_answer = "250 OK"
    run_task(settings)
    assert len(mailbox.envelopes) == 1


def test_the_outbox_shows_no_half_written_file(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, mail_outbox_dir=tmp_path / "new" / "outbox")
    deliver(settings, notice(settings))
    (path,) = settings.mail_outbox_dir.iterdir()
    assert path.suffix == ".eml"
    assert message_from_bytes(path.read_bytes())["To"] == "old@example.com"
