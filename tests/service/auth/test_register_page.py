"""The page that the link of an invitation leads to, as a person uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from inference_core.app.stack.ports import free_port
from inference_core.auth.admin.superusers import create_superuser
from tests.support.accounts import PASSWORD, new_name
from tests.support.browser import launched_browser
from tests.support.mailbox import text_of, wait_for_mails
from tests.support.service import ApiProcess, api_process, service_env, worker_process
from tests.support.settings import Settings

PATIENCE_MS = 40_000


@dataclass(frozen=True, slots=True)
class Service:
    """A service that needs invitations, and a client with the token of a superuser."""

    api: ApiProcess
    folder: Path
    client: httpx2.Client

    def link_to(self, email: str) -> str:
        """The link in the mail of a new invitation."""
        assert self.client.post("/api/v1/admin/invitations", json={"email": email}).status_code == 201
        (mail,) = wait_for_mails(self.folder / "outbox", email, 1)
        (link,) = (line for line in text_of(mail).splitlines() if line.startswith("http"))
        return link


@pytest.fixture(scope="module")
def service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder, port = tmp_path_factory.mktemp("register"), free_port()
    env = service_env(folder, redis_url, REGISTRATION="invite", PUBLIC_URL=f"http://127.0.0.1:{port}")
    settings = Settings(_env_file=None, database_url=env["DATABASE_URL"], argon2_memory_kib=8, argon2_time_cost=1)
    name = new_name()
    asyncio.run(create_superuser(settings, username=name, email=f"{name}@example.com", password=PASSWORD))
    with worker_process(folder, env), api_process(folder, env, port=port) as api, api.client() as client:
        login = client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        yield Service(api, folder, client)


@pytest.fixture
def page(service: Service) -> Iterator[Page]:
    with launched_browser() as browser:
        context = browser.new_context(viewport={"width": 360, "height": 740})
        context.set_default_timeout(PATIENCE_MS)
        yield context.new_page()
        context.close()


@pytest.mark.full
def test_S42_an_invited_person_registers_by_the_link(service: Service, page: Page) -> None:
    name = new_name()
    email = f"{name}+a&b@example.com"
    link = service.link_to(email)
    token = link.partition("#token=")[2].partition("&")[0]
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.headers.get('referer') or None}"))
    outcome = page.get_by_role("status")

    page.goto(link)
    expect(page).to_have_url(f"{service.api.url}/register")  # the token has left the address bar
    assert Axe().run(page).violations_count == 0
    expect(page.get_by_label("Email")).to_have_value(email)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("password1")
    page.get_by_role("button").click()
    expect(outcome).to_contain_text("too common", timeout=PATIENCE_MS)
    page.get_by_label("Email").fill("other@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button").click()
    expect(outcome).to_contain_text("needs a valid invitation", timeout=PATIENCE_MS)
    page.get_by_label("Email").fill(email)
    page.get_by_role("button").click()
    expect(outcome).to_contain_text("Your account has been created.", timeout=PATIENCE_MS)
    expect(page.get_by_label("Password")).to_be_hidden()
    login = service.client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD})
    assert login.status_code == 200
    # Chromium reports the link that it was told to open. What it sends has no fragment.
    assert all(token not in line for line in sent if not line.startswith(link))
    for log in service.folder.glob("*.log"):
        assert token not in log.read_text(errors="replace")

    page.goto(f"{service.api.url}/register")
    expect(outcome).to_contain_text("not complete", timeout=PATIENCE_MS)
    expect(page.get_by_role("button")).to_be_hidden()
