"""The playground in a real browser: a streamed conversation with its times, stop, and login."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.accounts import new_registration
from tests.support.browser import launched_browser
from tests.support.processes import wait_until
from tests.support.service import ApiProcess, api_process, service_env

PATIENCE_MS = 40_000
TIMES = re.compile(r"^TTFT \d[\d.]* m?s · \d+\.\d tokens/s · (\d+) tokens · total \d[\d.]* m?s$")
WIDE = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}}
SMALL_PHONE = {"viewport": {"width": 360, "height": 640}}


@contextmanager
def development(folder: Path, redis_url: str, **env: str) -> Iterator[ApiProcess]:
    """A service in development whose models are simulated."""
    settings = {"ENVIRONMENT": "development", "ALLOW_LIVE_LLM": "0", "SECRET_KEY": "k" * 40}
    with api_process(folder, service_env(folder, redis_url, **settings, **env)) as api:
        yield api


@pytest.fixture(scope="module")
def service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    with development(tmp_path_factory.mktemp("open"), redis_url) as api:
        yield api


@pytest.fixture(scope="module")
def slow_service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("slow")
    with development(folder, redis_url, LLM_SIMULATOR_SPEED="slow-reasoning") as api:
        yield api


@pytest.fixture(scope="module")
def guarded_service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    with development(tmp_path_factory.mktemp("guarded"), redis_url, LLM_API_ACCESS_MODE="user") as api:
        yield api


@pytest.fixture(scope="module")
def browser(service: ApiProcess, slow_service: ApiProcess, guarded_service: ApiProcess) -> Iterator[Browser]:
    """The last to start, because while it runs this thread has an event loop in which nothing else can be awaited."""
    with launched_browser() as browser:
        yield browser


class Visit:
    """A page of the playground; whatever its console complains of, and whom it asks beside the service."""

    def __init__(self, browser: Browser, service: ApiProcess, **options: Any) -> None:
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._note_request(request.url, service.url))
        self.page.goto(f"{service.url}/playground")

    def _note(self, kind: str, text: str) -> None:
        # The browser itself reports an answer of 401 as an error.
        if kind in {"error", "warning"} and "status of 401" not in text:
            self.complaints.append(text)

    def _note_request(self, url: str, own: str) -> None:
        if not url.startswith((own, "data:")):
            self.strangers.append(url)

    def send(self, text: str) -> None:
        self.page.get_by_label("Message").fill(text)
        self.page.get_by_label("Message").press("Enter")

    def answered(self) -> None:
        expect(self.page.get_by_role("status")).to_have_text(
            re.compile(r"^Answered: \d+ tokens\.$"), timeout=PATIENCE_MS
        )


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def begin(service: ApiProcess, **options: Any) -> Visit:
        visits.append(Visit(browser, service, **options))
        return visits[-1]

    yield begin
    for visited in visits:
        visited.context.close()
        assert visited.complaints == []
        assert visited.strangers == []


def test_a_conversation_comes_token_by_token_with_its_times_and_goes_on(
    service: ApiProcess, visit: Callable[..., Visit]
) -> None:
    visited = visit(service)
    page = visited.page
    expect(page.locator("#mode")).to_have_text("No answer costs money here.", timeout=PATIENCE_MS)
    visited.send("How do tides work?")
    visited.answered()
    turns = page.locator("#log > li")
    expect(turns).to_have_count(2)
    expect(turns.nth(1).locator(".who")).to_contain_text("simulated")
    expect(turns.nth(1).locator(".words")).to_contain_text("This is a simulated answer.")
    expect(turns.nth(1).locator(".times")).to_have_text(TIMES)
    expect(turns.nth(0).locator(".times")).to_have_count(0)
    conversation = page.locator("#session").inner_text()

    visited.send("And the moon?")
    visited.answered()
    assert page.locator("#session").inner_text() == conversation
    expect(page.locator(".times")).to_have_count(2)
    stored = service.get(f"/llm/sessions/{conversation.split()[-1]}").json()
    assert [turn["role"] for turn in stored["turns"]] == ["user", "assistant"] * 2

    page.get_by_role("button", name="New conversation").click()
    expect(turns).to_have_count(0)
    expect(page.locator("#session")).to_be_hidden()


def test_the_text_of_a_message_is_text(service: ApiProcess, visit: Callable[..., Visit]) -> None:
    visited = visit(service)
    visited.page.locator("#options summary").click()
    visited.page.get_by_label("Max tokens").fill("3")
    visited.send("<img src=x onerror=alert(1)>")
    visited.answered()
    expect(visited.page.locator("#log > li").first).to_contain_text("<img src=x onerror=alert(1)>")
    assert visited.page.locator("#log img").count() == 0
    expect(visited.page.locator(".times")).to_contain_text(" · 3 tokens · ")


def test_a_stopped_answer_is_stopped_at_its_source(slow_service: ApiProcess, visit: Callable[..., Visit]) -> None:
    visited = visit(slow_service)
    visited.send("Think long.")
    stop = visited.page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible(timeout=PATIENCE_MS)
    wait_until(lambda: active_streams(slow_service) == 1, within_s=40, what="the stream at the service")
    stop.click()
    expect(visited.page.get_by_role("status")).to_have_text("Stopped.")
    expect(visited.page.get_by_role("button", name="Send")).to_be_visible()
    wait_until(lambda: active_streams(slow_service) == 0, within_s=40, what="the end of the stream at the service")


def active_streams(service: ApiProcess) -> float:
    text = httpx2.get(f"{service.url}/metrics", trust_env=False).text
    return next(float(line.split()[-1]) for line in text.splitlines() if re.match(r"\w*llm\w*active\w* ", line))


def test_where_an_account_is_needed_the_page_asks_for_it(
    guarded_service: ApiProcess, visit: Callable[..., Visit]
) -> None:
    account = new_registration()
    with guarded_service.client() as client:
        assert client.post("/api/v1/auth/register", json=account).status_code == 201
    visited = visit(guarded_service)
    page = visited.page
    expect(page.get_by_label("Password")).to_be_visible(timeout=PATIENCE_MS)
    visited.send("Hello?")
    expect(page.locator("#log .error")).to_be_visible(timeout=PATIENCE_MS)

    page.get_by_label("User name or email").fill(account["username"])
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).not_to_be_empty(timeout=PATIENCE_MS)
    page.get_by_label("Password").fill(account["password"])
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#who")).to_have_text(account["username"], timeout=PATIENCE_MS)
    visited.send("Hello again?")
    visited.answered()


def test_a_pasted_token_is_enough(guarded_service: ApiProcess, visit: Callable[..., Visit]) -> None:
    account = new_registration()
    with guarded_service.client() as client:
        assert client.post("/api/v1/auth/register", json=account).status_code == 201
        token = client.post("/api/v1/auth/login", json=account).json()["access_token"]
    visited = visit(guarded_service)
    visited.page.get_by_label("Or an access token").fill(token)
    visited.send("Hello?")
    visited.answered()


@pytest.mark.parametrize("device", [WIDE, PHONE, SMALL_PHONE], ids=["wide", "phone", "small phone"])
def test_the_input_is_always_in_view_and_the_newest_text_too(
    service: ApiProcess, visit: Callable[..., Visit], device: dict[str, Any]
) -> None:
    visited = visit(service, **device)
    page = visited.page
    for text in ("How do tides work?", "And the moon?", "And the sun?"):
        visited.send(text)
        visited.answered()
    for part in (page.get_by_label("Message"), page.get_by_role("button", name="Send"), page.locator(".times").last):
        expect(part).to_be_in_viewport(ratio=1)
    expect(page.get_by_label("Message")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")


def test_an_answer_can_be_copied_and_its_question_asked_again(service: ApiProcess, visit: Callable[..., Visit]) -> None:
    visited = visit(service, permissions=["clipboard-read", "clipboard-write"])
    page = visited.page
    visited.send("How do tides work?")
    visited.answered()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_have_text("Copied as Markdown.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("This is a simulated answer. ")

    page.get_by_role("button", name="Retry").click()
    visited.answered()
    questions = page.locator("#log > li.mine .words")
    expect(questions).to_have_text(["How do tides work?"] * 2)


def test_the_keyboard_stops_an_answer_and_brings_back_the_message(
    slow_service: ApiProcess, visit: Callable[..., Visit]
) -> None:
    visited = visit(slow_service)
    message = visited.page.get_by_label("Message")
    visited.send("Think long.")
    expect(visited.page.get_by_role("button", name="Stop")).to_be_visible(timeout=PATIENCE_MS)
    visited.page.keyboard.press("Escape")
    expect(visited.page.get_by_role("status")).to_have_text("Stopped.")
    expect(message).to_be_focused()
    message.press("ArrowUp")
    expect(message).to_have_value("Think long.")


MARKDOWN = """# Title

A *first* and **second** `code`,
[a link](https://example.com/a?b=1) and snake_case 2 * 3 * 4.

- one
- **two**

3. three
4. four

> quoted

```html
<b>not bold</b>
```
End"""


def test_an_answer_is_shown_as_markdown(service: ApiProcess, visit: Callable[..., Visit]) -> None:
    assert drawn(visit(service), MARKDOWN) == (
        "<h2>Title</h2><p>A <em>first</em> and <strong>second</strong> <code>code</code>,\n"
        '<a href="https://example.com/a?b=1" rel="noopener noreferrer" target="_blank">a link</a> '
        "and snake_case 2 * 3 * 4.</p><ul><li>one</li><li><strong>two</strong></li></ul>"
        '<ol start="3"><li>three</li><li>four</li></ol><blockquote><p>quoted</p></blockquote>'
        '<pre tabindex="0"><code>&lt;b&gt;not bold&lt;/b&gt;</code></pre><p>End</p>'
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>window.hit = 1</script>",
        "<img src=x onerror='window.hit = 1'>",
        "**<svg onload='window.hit = 1'>**",
        "# <iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
        "- <details open ontoggle='window.hit = 1'>",
        "```<img src=x>\n<img src=x onerror='window.hit = 1'>\n```",
        "`<style>*{display:none}</style>`",
        "> <a href='javascript:window.hit = 1'>x</a>",
        "[x](javascript:window.hit=1)",
        "[x](data:text/html,<script>window.hit=1</script>)",
        '[x](https://example.com/"onmouseover="window.hit=1)',
        "![x](https://example.com/x.png)",
        ">" * 20_000 + "*" * 20_000 + "```",
    ],
)
def test_no_html_and_no_script_of_an_answer_is_executed(
    service: ApiProcess, visit: Callable[..., Visit], text: str
) -> None:
    visited = visit(service)
    drawn(visited, text)
    words = visited.page.locator("#log .words")
    made = words.evaluate("(node) => [...node.querySelectorAll('*')].map((one) => one.tagName.toLowerCase())")
    assert set(made) <= {"p", "h2", "ul", "li", "strong", "em", "code", "pre", "blockquote", "a"}
    attributes = words.evaluate(
        "(node) => [...node.querySelectorAll('*')].flatMap((one) => [...one.attributes].map((each) => each.name))"
    )
    assert set(attributes) <= {"href", "rel", "target", "tabindex"}
    for address in words.evaluate("(node) => [...node.querySelectorAll('a')].map((one) => one.href)"):
        assert address.startswith("https://example.com/")
    assert visited.page.evaluate("window.hit") is None


def drawn(visited: Visit, text: str) -> str:
    """Return the HTML of an answer with this text."""
    visited.page.evaluate("(text) => { const turn = new Turn('Model', false); turn.append(text); turn.draw(); }", text)
    return visited.page.locator("#log .words").inner_html()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [WIDE, PHONE], ids=["wide", "phone"])
def test_it_can_be_read_and_used_by_everybody(
    service: ApiProcess, visit: Callable[..., Visit], scheme: str, device: dict[str, Any]
) -> None:
    visited = visit(service, color_scheme=scheme, **device)
    page = visited.page
    visited.send("How do tides work?")
    visited.answered()
    page.locator("#access summary").click()
    page.locator("#options summary").click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
