"""From an invitation, or an account without a password, to the mail in the outbox and back, through a real worker."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from inference_core.auth.admin.superusers import create_superuser
from inference_core.auth.mail import names
from inference_core.auth.mail.tokens import token_hash
from inference_core.core.queue.app import create_celery
from tests.support.accounts import PASSWORD, new_name, new_registration
from tests.support.mailbox import link_in, mails_to, text_of, token_in, wait_for_mails
from tests.support.processes import wait_until
from tests.support.service import ServiceProcess, api_process, service_env, worker_process
from tests.support.settings import Settings
from tests.support.settings import service as built_in

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Service:
    """A service that needs invitations, and a client with the token of a superuser."""

    folder: Path
    redis_url: str
    client: httpx2.Client
    worker: ServiceProcess

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    def query(self, statement: str, *values: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.folder / "service.db", timeout=20)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def invite(self, email: str) -> str:
        """The id of a new invitation."""
        answer = self.client.post(f"{PREFIX}/admin/invitations", json={"email": email})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@pytest.fixture(scope="module")
def service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("invitations")
    env = service_env(folder, redis_url, REGISTRATION="invite", LOG_FORMAT="json")
    settings = Settings(_env_file=None, database_url=env["DATABASE_URL"], argon2_memory_kib=8, argon2_time_cost=1)
    name = new_name()
    asyncio.run(create_superuser(settings, username=name, email=f"{name}@example.com", password=PASSWORD))
    with worker_process(folder, env) as worker, api_process(folder, env) as api, api.client() as client:
        login = client.post(f"{PREFIX}/auth/login", json={"username": name, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        yield Service(folder, redis_url, client, worker)


def test_S42_an_invitation_is_mailed_and_its_token_is_nowhere_else(service: Service) -> None:
    body = new_registration()
    invitation_id = service.invite(body["email"])
    (mail,) = wait_for_mails(service.outbox, body["email"], 1)
    token = token_in(mail)
    assert f"/register#token={token}&email={body['email'].replace('@', '%40')}" in text_of(mail)
    assert link_in(mail).startswith("http://localhost:8000/register#")
    assert len(token) >= 43  # 256 bits in base64
    html = mail.get_body(("html",))
    assert html is not None
    assert token in html.get_content()
    ((stored,),) = service.query("SELECT token_hash FROM invitations WHERE email = ?", body["email"])
    assert stored == token_hash(token)
    wait_until(lambda: service.query("SELECT id FROM mails_due") == [], what="the mail done")
    logs = "".join(path.read_text(errors="replace") for path in service.folder.glob("*.log"))
    assert invitation_id in logs
    for secret in (token, token_hash(token), body["email"]):
        assert secret not in logs
    made = service.client.post(f"{PREFIX}/auth/register", json=body | {"invitation": token})
    assert (made.status_code, made.json()["is_verified"]) == (201, True)


def test_S42_a_withdrawn_invitation_is_not_mailed(service: Service) -> None:
    email = new_registration()["email"]
    invitation_id = service.invite(email)
    wait_for_mails(service.outbox, email, 1)
    assert service.client.delete(f"{PREFIX}/admin/invitations/{invitation_id}").status_code == 200
    celery = create_celery(built_in, Settings(_env_file=None, redis_url=service.redis_url), "client")
    try:
        celery.send_task(names.INVITATION, (invitation_id,))
        said = '"template": "invitation", "because": "the invitation is not open"'
        wait_until(lambda: said in service.worker.log.read_text(), what=said)
    finally:
        celery.close()
    assert len(mails_to(service.outbox, email)) == 1


def test_S41_an_account_without_a_password_is_mailed_a_link_to_choose_one(service: Service) -> None:
    account = new_registration()
    del account["password"]
    assert service.client.post(f"{PREFIX}/admin/users", json=account).status_code == 201
    (mail,) = wait_for_mails(service.outbox, account["email"], 1)
    wait_until(lambda: service.query("SELECT id FROM mails_due") == [], what="the mail done")
    reset = {"token": token_in(mail), "new_password": PASSWORD}
    assert service.client.post(f"{PREFIX}/auth/reset-password", json=reset).status_code == 200
    login = {"username": account["username"], "password": PASSWORD}
    assert service.client.post(f"{PREFIX}/auth/login", json=login).status_code == 200
