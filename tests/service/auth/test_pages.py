"""The pages that the links in mails lead to: what a browser may do there, and both flows as a person plays them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from inference_core.app.stack.ports import free_port
from tests.support.accounts import PASSWORD, new_registration
from tests.support.browser import launched_browser
from tests.support.mailbox import link_in, wait_for_mails
from tests.support.service import ApiProcess, api_process, service_env, worker_process

PATIENCE_MS = 40_000
NEW = "BrandNew789!"


@dataclass(frozen=True, slots=True)
class Service:
    """A service whose mails link to itself."""

    api: ApiProcess
    folder: Path

    def register(self) -> dict[str, str]:
        account = new_registration()
        with self.api.client() as client:
            assert client.post("/api/v1/auth/register", json=account).status_code == 201
        return account

    def login_status(self, account: dict[str, str], password: str) -> int:
        with self.api.client() as client:
            body = {"username": account["username"], "password": password}
            return client.post("/api/v1/auth/login", json=body).status_code


@pytest.fixture(scope="module")
def service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder, port = tmp_path_factory.mktemp("pages"), free_port()
    own = {"PUBLIC_URL": f"http://127.0.0.1:{port}/", "VERIFY_EMAIL": "1", "SECRET_KEY": "k" * 40}
    env = service_env(folder, redis_url, **own)
    with worker_process(folder, env), api_process(folder, env, port=port) as api:
        yield Service(api, folder)


@pytest.fixture(scope="module")
def browser(service: Service) -> Iterator[Browser]:
    with launched_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    yield page
    context.close()


def outcome(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_contain_text(text, timeout=PATIENCE_MS)


def test_S08_a_password_is_reset_by_the_links_alone(service: Service, page: Page) -> None:
    account = service.register()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer') or None}"))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{service.api.url}/forgot-password")
    page.get_by_label("Email").fill(account["email"])
    page.get_by_role("button").click()
    outcome(page, "has been sent")
    # The other mail confirms the email. The worker has two processes, which may send them in any order.
    links = [link_in(mail) for mail in wait_for_mails(service.folder / "outbox", account["email"], 2)]
    (link,) = (link for link in links if link.startswith(f"{service.api.url}/reset-password#token="))
    token = link.partition("=")[2]

    page.goto(link)
    expect(page).to_have_url(f"{service.api.url}/reset-password")  # the token has left the address bar
    assert Axe().run(page).violations_count == 0
    page.get_by_label("New password").fill("password1")
    page.get_by_role("button").click()
    outcome(page, "too common")
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button").click()
    outcome(page, "The password has been changed.")
    expect(page.get_by_label("New password")).to_be_hidden()
    assert (service.login_status(account, PASSWORD), service.login_status(account, NEW)) == (401, 200)

    page.goto("about:blank")
    page.goto(link)
    page.get_by_label("New password").fill("AnotherOne789!")
    page.get_by_role("button").click()
    outcome(page, "no longer valid")
    # Chromium reports the link it was told to open; what it sends has no fragment.
    sent = [line for line in asked if not line.startswith(link)]
    assert all(token not in line for line in sent)
    own = (service.api.url, "data:", "about:blank")
    assert [line for line in sent if not line.startswith(own) or not line.endswith(" None")] == []
    assert [text for text in complaints if "status of 400" not in text] == []
    for log in service.folder.glob("*.log"):
        assert token not in log.read_text(errors="replace")


def test_an_email_is_confirmed_by_its_link_and_not_by_opening_it(service: Service, page: Page) -> None:
    account = service.register()
    (mail,) = wait_for_mails(service.folder / "outbox", account["email"], 1)
    page.goto(link_in(mail))
    assert Axe().run(page).violations_count == 0
    with service.api.client() as client:
        login = {"username": account["username"], "password": PASSWORD}
        bearer = {"Authorization": f"Bearer {client.post('/api/v1/auth/login', json=login).json()['access_token']}"}
        assert client.get("/api/v1/auth/me", headers=bearer).json()["is_verified"] is False
        page.get_by_role("button", name="Confirm this address").click()
        outcome(page, "The email is confirmed.")
        assert client.get("/api/v1/auth/me", headers=bearer).json()["is_verified"] is True


@pytest.mark.parametrize("path", ["/reset-password", "/verify-email#token="])
def test_a_link_without_its_token_says_so(service: Service, page: Page, path: str) -> None:
    page.goto(f"{service.api.url}{path}")
    outcome(page, "not complete")
    expect(page.get_by_role("button")).to_be_hidden()


def test_a_token_in_the_query_counts_too_and_leaves_the_address_bar(service: Service, page: Page) -> None:
    account = service.register()
    (mail,) = wait_for_mails(service.folder / "outbox", account["email"], 1)
    page.goto(link_in(mail).replace("#", "?"))
    expect(page).to_have_url(f"{service.api.url}/verify-email")
    page.get_by_role("button").click()
    outcome(page, "The email is confirmed.")
