"""What the mail tasks send, to whom, and that a mail which was committed is sent in the end; through a real worker."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from inference_core.auth.mail import names
from inference_core.core.queue.app import ServiceCelery, create_celery
from tests.support.accounts import PASSWORD, new_name, new_registration
from tests.support.mailbox import mails_to, text_of, token_in, wait_for_mails
from tests.support.processes import wait_until
from tests.support.service import ApiProcess, ServiceProcess, api_process, service_env, worker_process
from tests.support.settings import Settings
from tests.support.settings import service as built_in

pytestmark = pytest.mark.full

PREFIX = "/api/v1/auth"
SILENT_BROKER = "redis://127.0.0.1:1/0"


@dataclass(frozen=True, slots=True)
class Service:
    """A service whose API cannot send, as one that is killed after each commit; its worker; and a sender."""

    folder: Path
    api: ApiProcess
    worker: ServiceProcess
    celery: ServiceCelery

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    def query(self, statement: str, *values: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.folder / "service.db", timeout=20)
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def send(self, name: str, *args: str, **options: object) -> None:
        self.celery.send_task(name, args, **options)

    def send_due(self) -> None:
        """Let the time come at which the mails that were committed are due, and the schedule's task run."""
        self.query("UPDATE mails_due SET send_at = '2020-01-01 00:00:00.000000'")
        self.send(names.SEND_DUE)

    def register(self, **changes: str) -> dict[str, str]:
        account = new_registration(**changes)
        with self.api.client() as client:
            assert client.post(f"{PREFIX}/register", json=account).status_code == 202
        return account

    def wait_for_no_account(self, times: int, template: str) -> None:
        said = f'"template": "{template}", "because": "no account'
        wait_until(lambda: self.worker.log.read_text().count(said) >= times, what=f"{times} times {said}")


@pytest.fixture(scope="module")
def service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("mail")
    env = service_env(folder, redis_url, HIDE_EXISTING_ACCOUNTS="1", LOG_FORMAT="json")
    celery = create_celery(built_in, Settings(_env_file=None, redis_url=redis_url), "client")
    cut_off = env | {"CELERY_BROKER_URL": SILENT_BROKER}
    with worker_process(folder, env) as worker, api_process(folder, cut_off) as api:
        yield Service(folder, api, worker, celery)
    celery.close()


def test_a_mail_that_was_committed_and_never_sent_is_sent_in_the_end(service: Service) -> None:
    account = service.register()
    assert len(service.query("SELECT id FROM mails_due")) == 1
    service.send_due()
    (mail,) = wait_for_mails(service.outbox, account["email"], 1)
    wait_until(lambda: service.query("SELECT id FROM mails_due") == [], what="the mail done")
    with service.api.client() as client:
        assert client.post(f"{PREFIX}/verify-email", json={"token": token_in(mail)}).status_code == 200
        login = {"username": account["username"], "password": PASSWORD}
        assert client.post(f"{PREFIX}/login", json=login).status_code == 200


def test_a_committed_mail_that_is_sent_twice_goes_out_once(service: Service) -> None:
    account = service.register()
    ((mail_id,),) = service.query("SELECT id FROM mails_due")
    service.send_due()
    service.send_due()
    wait_for_mails(service.outbox, account["email"], 1)
    wait_until(lambda: service.query("SELECT id FROM mails_due") == [], what="the mail done")
    again = {"kwargs": {"due": True}, "task_id": str(mail_id)}
    service.send(names.EMAIL_VERIFICATION, account["email"], **again)
    other = service.register()
    service.send_due()
    wait_for_mails(service.outbox, other["email"], 1)  # asked for last
    assert len(mails_to(service.outbox, account["email"])) == 1


def test_S03_only_the_owner_of_an_account_is_told_of_a_registration_with_its_email(service: Service) -> None:
    owner = service.register()
    service.send_due()
    wait_for_mails(service.outbox, owner["email"], 1)
    service.register(email=owner["email"])
    stranger = service.register(username=owner["username"])
    service.send_due()
    assert "already has an account" in text_of(wait_for_mails(service.outbox, owner["email"], 2)[1])
    service.wait_for_no_account(1, "account_exists")
    assert mails_to(service.outbox, stranger["email"]) == []


def test_S03_a_new_email_is_asked_whether_it_is_the_callers_and_its_owner_is_told(service: Service) -> None:
    user, owner = service.register(), service.register()
    service.send_due()
    for account in (user, owner):
        wait_for_mails(service.outbox, account["email"], 1)
    ((user_id,),) = service.query("SELECT id FROM users WHERE username = ?", user["username"])
    free = new_registration()["email"]
    for email in (free, owner["email"]):
        service.send(names.EMAIL_CHANGE, str(user_id), email)
    (mail,) = wait_for_mails(service.outbox, free, 1)
    assert "already has an account" in text_of(wait_for_mails(service.outbox, owner["email"], 2)[1])
    with service.api.client() as client:
        assert client.post(f"{PREFIX}/verify-email", json={"token": token_in(mail)}).status_code == 200
    assert service.query("SELECT email FROM users WHERE username = ?", user["username"]) == [(free,)]


def test_S19_the_owner_is_warned_of_guesses_and_nobody_else_is_mailed(service: Service) -> None:
    user = service.register()
    service.send_due()
    wait_for_mails(service.outbox, user["email"], 1)
    for login in (new_name(), new_registration()["email"], user["username"]):
        service.send(names.FAILED_LOGINS, login)
    assert "wrong passwords" in text_of(wait_for_mails(service.outbox, user["email"], 2)[1])
    service.wait_for_no_account(2, "failed_logins")


def test_a_mail_that_nobody_knows_of_any_more_is_not_sent(service: Service) -> None:
    account = service.register()
    service.query("DELETE FROM mails_due")
    service.send(names.EMAIL_VERIFICATION, account["email"], kwargs={"due": True}, task_id=str(uuid4()))
    other = service.register()
    service.send_due()
    wait_for_mails(service.outbox, other["email"], 1)
    assert mails_to(service.outbox, account["email"]) == []


def test_a_client_is_not_kept_waiting_by_a_broker_that_is_away(service: Service) -> None:
    with httpx2.Client(base_url=service.api.url, timeout=5.0, trust_env=False) as client:
        assert client.post(f"{PREFIX}/register", json=new_registration()).status_code == 202
