"""`/docs` in a real browser, which may ask nobody but the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import launched_browser
from tests.support.service import PREFIX, ApiProcess, api_process, service_env

PATIENCE_MS = 40_000


@pytest.fixture(scope="module")
def api(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder: Path = tmp_path_factory.mktemp("documentation")
    with api_process(folder, service_env(folder, redis_url), app="inference_core.main:app") as api:
        yield api


@pytest.fixture(scope="module")
def browser(api: ApiProcess) -> Iterator[Browser]:
    """After the service, because while it runs this thread has an event loop in which nothing else can be awaited."""
    with launched_browser() as browser:
        yield browser


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_works_without_the_internet(path: str, api: ApiProcess, browser: Browser) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    try:
        page.goto(api.url + path)
        ping = page.locator(".opblock", has_text=f"{PREFIX}/health/ping")
        expect(ping).to_be_visible(timeout=PATIENCE_MS)
        ping.locator(".opblock-summary-control").click()
        ping.get_by_role("button", name="Try it out").click()
        ping.get_by_role("button", name="Execute").click()
        expect(ping.locator(".live-responses-table")).to_contain_text("pong", timeout=PATIENCE_MS)
    finally:
        context.close()
    assert complaints == []
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {f"127.0.0.1:{api.port}"}
