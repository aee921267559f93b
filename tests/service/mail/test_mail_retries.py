"""A mail server that is away costs no mail: the worker tries again, for some minutes, ever more seldom."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from inference_core.app.stack.ports import LOOPBACK, free_port
from inference_core.auth import tasks
from tests.support.accounts import new_registration
from tests.support.processes import wait_until
from tests.support.service import api_process, service_env, worker_process

PREFIX = "/api/v1/auth"
MAIL_TASKS = (
    tasks.send_password_reset,
    tasks.send_email_verification,
    tasks.send_email_changed,
    tasks.send_account_exists,
    tasks.send_email_change,
    tasks.send_failed_logins,
)


class Mailbox:
    """What has arrived."""

    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def handle_DATA(self, _: Any, __: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.recipients.append(str(message_from_bytes(envelope.content)["To"]))
        return "250 OK"


@pytest.mark.parametrize("task", MAIL_TASKS, ids=lambda task: str(task.name))
def test_a_mail_is_tried_for_some_minutes_with_growing_pauses(task: Any) -> None:
    pauses_s = [min(task.retry_backoff * 2**number, task.retry_backoff_max) for number in range(task.max_retries)]
    assert pauses_s == sorted(pauses_s)
    assert pauses_s[0] <= 5
    assert 300 <= sum(pauses_s) <= 3600
    assert task.retry_jitter is True


@pytest.mark.full
def test_a_mail_outlives_an_absence_of_its_server(tmp_path: Path, redis_url: str) -> None:
    port, mailbox, account = free_port(), Mailbox(), new_registration()
    smtp = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": LOOPBACK, "SMTP_PORT": str(port), "SMTP_SECURITY": "none"}
    env = service_env(tmp_path, redis_url, **smtp)
    with worker_process(tmp_path, env) as worker, api_process(tmp_path, env) as api, api.client() as client:
        assert client.post(f"{PREFIX}/register", json=account).status_code == 201
        assert client.post(f"{PREFIX}/forgot-password", json={"email": account["email"]}).status_code == 200
        wait_until(lambda: "Retry in" in worker.log.read_text(errors="replace"), what="a try that failed")
        controller = Controller(mailbox, hostname=LOOPBACK, port=port)
        controller.start()
        try:
            wait_until(lambda: bool(mailbox.recipients), within_s=60, what="the mail after its server came back")
            wait_until(lambda: "mail_sent" in worker.log.read_text(errors="replace"), what="the mail told as sent")
        finally:
            controller.stop()
        assert mailbox.recipients == [account["email"]]
        log = worker.log.read_text(errors="replace")
        assert account["email"] not in log
