"""LLM streams as tests read them, and the application behind a real server in the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx2
import uvicorn

from inference_core.app.stack.ports import free_port
from inference_core.core.state import AppState
from inference_core.llm.simulator.engine import Engine
from inference_core.llm.state import LLMState
from inference_core.llm.types import ChatRequest, ModelCall, Reply, StreamItem, Token, Usage
from tests.support.accounts import PREFIX
from tests.support.settings import Settings, application

Event = dict[str, Any]


def parse_events(text: str) -> list[Event]:
    """The events of a stream; comments are left out, anything else that is no event fails."""
    events = []
    for block in text.split("\n\n"):
        if not block or block.startswith(":"):
            continue
        assert block.startswith("data: "), block
        assert "\n" not in block, block
        events.append(json.loads(block.removeprefix("data: ")))
    return events


def kinds(events: list[Event]) -> list[str]:
    """The names of the events, runs of tokens as one."""
    names: list[str] = []
    for event in events:
        if event["event"] != "token" or not names or names[-1] != "token":
            names.append(event["event"])
    return names


def text_of(events: list[Event]) -> str:
    """The answer."""
    return "".join(event["content"] for event in events if event["event"] == "token")


def tokens_of(events: list[Event]) -> int:
    return sum(event["event"] == "token" for event in events)


async def until(condition: Callable[[], object], *, within_s: float = 20.0, what: str = "") -> float:
    """Poll in the event loop; how many seconds it took."""
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() - start_s < within_s, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.01)
    return time.monotonic() - start_s


@dataclass(frozen=True, slots=True)
class LLMServer:
    """The application behind uvicorn on a loopback port; its insides are in reach."""

    url: str
    state: AppState
    client: httpx2.AsyncClient

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def llm(self) -> LLMState:
        return self.state.of(LLMState)

    @property
    def engine(self) -> Engine:
        """The simulated machine in this process."""
        return cast("Engine", self.llm.gateway.providers["simulated"].engine)  # type: ignore[attr-defined]

    def stream(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        """A stream as `httpx2` gives it: to be used as an async context."""
        return self.client.stream("POST", f"{PREFIX}/llm{path}", json=body, headers=headers)

    async def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        text = (await self.client.get("/metrics")).text
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


@asynccontextmanager
async def llm_server(settings: Settings) -> AsyncIterator[LLMServer]:
    """Serve the application until the context ends."""
    port = free_port()
    app = application(settings)
    app.openapi_schema = {}  # no test reads the document from here, and making it takes most of the start
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started or serving.done(), within_s=60, what="the server started")
        assert server.started
        url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=url, timeout=30, trust_env=False, verify=False) as client:
            yield LLMServer(url, cast("AppState", server.lifespan.state["app"]), client)
    finally:
        server.should_exit = True
        await serving


def config_file(folder: Path, text: str) -> Path:
    """An `llm_config.yaml` of the test's own."""
    path = folder / "llm_config.yaml"
    path.write_text(text)
    return path


LIMITS = """
models:
  small: {{provider: local, context_tokens: 100000, max_output_tokens: 20000}}
providers:
  local: {{kind: simulated}}
tasks:
  explain: {{primary: small}}
  conversation: {{primary: small}}
settings:
  limits:
    requests_per_minute: {per_minute}
    concurrent_requests: {at_once}
    tokens_per_day: {per_day}
    concurrent_streams: 0
"""


def limits_config(folder: Path, *, per_minute: int = 0, at_once: int = 0, per_day: int = 0) -> Path:
    """A configuration with one simulated model and these limits for a user; 0 for none."""
    return config_file(folder, LIMITS.format(per_minute=per_minute, at_once=at_once, per_day=per_day))


class EndlessProvider:
    """Generates as fast as it is read, `tokens` of them; counts the calls in progress and what it gave out."""

    name = "local"
    simulated = True

    def __init__(self, tokens: int = 100_000, content: str = "word " * 8) -> None:
        self.tokens = tokens
        self.content = content
        self.running = 0
        self.given = 0

    async def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[StreamItem, None]:
        self.running += 1
        try:
            for number in range(self.tokens):
                if number % 16 == 0:
                    await asyncio.sleep(0)
                self.given += 1
                yield Token(self.content)
            yield Usage(1, self.tokens)
        finally:
            self.running -= 1

    async def complete(self, request: ChatRequest, call: ModelCall) -> Reply:
        return Reply(self.content * self.tokens, Usage(1, self.tokens))

    async def models(self) -> list[str]:
        return []

    async def aclose(self) -> None:
        return None


def replace_provider(state: AppState, provider: EndlessProvider) -> None:
    """Let `provider` serve the models of the provider called as it is."""
    cast("dict[str, Any]", state.of(LLMState).gateway.providers)[provider.name] = provider
