"""The pictures of the documentation can be made. UPDATE_SCREENSHOTS=1 also writes them to docs/images.

The reports are those of the runs in docs/samples, and the playground is that of a service in development.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from loadgate.report.html import html_report
from loadgate.run.document import read_run
from tests.support.browser import OfflinePage, launched_browser
from tests.support.png import with_palette
from tests.support.service import ApiProcess, api_process, service_env
from tests.support.stack import ROOT

IMAGES = ROOT / "docs/images"
UPDATE = os.environ.get("UPDATE_SCREENSHOTS") == "1"
MAX_BYTES = 150_000
REPORTS = {
    "pass-light": ("pass", "light", 1180, 780),
    "pass-dark": ("pass", "dark", 1180, 780),
    "fail-light": ("fail", "light", 1180, 1180),
    "fail-dark": ("fail", "dark", 1180, 1180),
}
"""The run, theme, width and height of each screenshot of a report."""
PLAYGROUND = {"light": (900, 760), "dark": (900, 760)}
QUESTION = "How do tides work?"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("pictures")
    settings = {"ENVIRONMENT": "development", "ALLOW_LIVE_LLM": "0", "SECRET_KEY": "k" * 40}
    with api_process(folder, service_env(folder, redis_url, **settings)) as api:
        yield api


@pytest.fixture(scope="module")
def browser(service: ApiProcess) -> Iterator[Browser]:
    """The last to start, because while it runs this thread has an event loop in which nothing else can be awaited."""
    with launched_browser() as launched:
        yield launched


def keep(name: str, picture: bytes, size: tuple[int, int]) -> None:
    """Check a screenshot, and write it if the pictures are to be updated."""
    assert struct.unpack(">II", picture[16:24]) == size
    assert len(picture) > 20_000
    if UPDATE:
        (IMAGES / f"{name}.png").write_bytes(with_palette(picture))


@pytest.mark.parametrize("name", REPORTS)
def test_a_screenshot_of_a_report_can_be_made(browser: Browser, tmp_path: Path, name: str) -> None:
    run, scheme, width, height = REPORTS[name]
    report = tmp_path / "report.html"
    report.write_text(html_report(read_run(ROOT / "docs/samples" / run / "run.json")), encoding="utf-8")
    opened = OfflinePage(browser, color_scheme=scheme, viewport={"width": width, "height": height})
    opened.page.goto(report.as_uri())
    opened.page.wait_for_selector("html[data-ready]", timeout=60_000)
    picture = opened.page.screenshot()
    opened.close()
    assert opened.errors == []
    keep(f"report-{name}", picture, (width, height))


@pytest.mark.parametrize("scheme", PLAYGROUND)
def test_a_screenshot_of_the_playground_can_be_made(browser: Browser, service: ApiProcess, scheme: str) -> None:
    width, height = PLAYGROUND[scheme]
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
    page.goto(f"{service.url}/playground")
    page.get_by_label("Message").fill(QUESTION)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#log")).to_contain_text("tokens/s", timeout=60_000)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden(timeout=60_000)
    keep(f"playground-{scheme}", page.screenshot(), (width, height))
    page.close()


def test_the_readme_shows_each_picture() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [*(f"report-{name}" for name in REPORTS), *(f"playground-{scheme}" for scheme in PLAYGROUND)]
    assert sorted(path.stem for path in IMAGES.glob("*.png")) == sorted(names)
    for name in names:
        assert f"docs/images/{name}.png" in readme
        assert (IMAGES / f"{name}.png").stat().st_size < MAX_BYTES
