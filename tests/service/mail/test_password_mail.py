"""From forgot-password to the mail in the outbox and back, through a real worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from inference_core.auth.mail.tokens import token_hash
from inference_core.core.db.engine import Database
from tests.support.accounts import PASSWORD, new_registration
from tests.support.mailbox import mails_to, token_in, wait_for_mails
from tests.support.service import ApiProcess, api_process, service_env, worker_process
from tests.support.settings import Settings

PREFIX = "/api/v1/auth"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mail")


@pytest.fixture(scope="module")
def api(folder: Path, redis_url: str, database_url: str) -> Iterator[ApiProcess]:
    env = service_env(folder, redis_url, DATABASE_URL=database_url)
    with worker_process(folder, env), api_process(folder, env) as api:
        yield api


@pytest.fixture
def client(api: ApiProcess) -> Iterator[httpx2.Client]:
    with api.client() as client:
        yield client


async def stored_tokens(database_url: str) -> str:
    """Everything the database keeps of mailed tokens, as text."""
    async with (
        Database.open(Settings(_env_file=None, database_url=database_url)) as database,
        database.read() as session,
    ):
        return repr((await session.execute(text("SELECT * FROM one_time_tokens"))).all())


def test_S07_a_reset_token_works_once_and_ends_the_others(client: httpx2.Client, folder: Path) -> None:
    account = new_registration()
    login = {"username": account["username"], "password": PASSWORD}
    assert client.post(f"{PREFIX}/register", json=account).status_code == 201
    for count in (1, 2):
        answer = client.post(f"{PREFIX}/forgot-password", json={"email": account["email"]})
        assert answer.status_code == 200
        mails = wait_for_mails(folder / "outbox", account["email"], count)
    older, newer = (token_in(mail) for mail in mails)
    assert older != newer

    def reset(token: str, password: str = "BrandNew789!") -> httpx2.Response:
        return client.post(f"{PREFIX}/reset-password", json={"token": token, "new_password": password})

    assert reset(older, "password1").json()["code"] == "password_too_common"
    assert reset(older).status_code == 200
    assert reset(older).status_code == 400
    assert reset(newer).status_code == 400
    assert client.post(f"{PREFIX}/login", json=login).status_code == 401
    assert client.post(f"{PREFIX}/login", json=login | {"password": "BrandNew789!"}).status_code == 200


def test_S08_the_reset_token_is_in_no_log_and_its_mail_is_private(
    client: httpx2.Client, folder: Path, database_url: str
) -> None:
    account = new_registration()
    assert client.post(f"{PREFIX}/register", json=account).status_code == 201
    client.post(f"{PREFIX}/forgot-password", json={"email": account["email"]})
    (mail,) = wait_for_mails(folder / "outbox", account["email"], 1)
    token = token_in(mail)
    assert len(token) >= 43  # 256 bits in base64
    html = mail.get_body(("html",))
    assert html is not None
    assert f'#token={token}" style="display: inline-block' in html.get_content()
    assert 'font-weight: bold;">Inference Core API</p>' in html.get_content()
    logs = "".join(path.read_text(errors="replace") for path in folder.glob("*.log"))
    assert "mail_sent" in logs
    assert token not in logs
    stored = asyncio.run(stored_tokens(database_url))
    assert token_hash(token) in stored
    assert token not in stored
    if database_url.startswith("sqlite"):
        file = Path(make_url(database_url).database or "")
        assert token.encode() not in file.read_bytes() + file.with_name(f"{file.name}-wal").read_bytes()
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("outbox/*.eml"))


def test_S06_more_reset_mails_than_allowed_in_an_hour_are_not_sent(client: httpx2.Client, folder: Path) -> None:
    account, other = new_registration(), new_registration()
    for registration in (account, other):
        assert client.post(f"{PREFIX}/register", json=registration).status_code == 201
    answers = [client.post(f"{PREFIX}/forgot-password", json={"email": account["email"]}) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 8
    # The queue keeps its order for one worker process; the mail to `other` was asked for last.
    client.post(f"{PREFIX}/forgot-password", json={"email": other["email"]})
    wait_for_mails(folder / "outbox", other["email"], 1)
    wait_for_mails(folder / "outbox", account["email"], 5)
    assert len(mails_to(folder / "outbox", account["email"])) == 5
