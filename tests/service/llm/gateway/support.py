"""A gateway whose providers are test servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from inference_core.llm.config.loader import parse_llm_config
from inference_core.llm.errors import ProviderError
from inference_core.llm.gateway.gateway import Gateway
from inference_core.llm.gateway.open_stream import OpenStream
from inference_core.llm.types import ChatRequest, Message, SamplingParams, StreamItem, Token
from tests.service.llm.providers.wires import openai_stream
from tests.support.settings import Settings
from tests.support.wire_server import Script

ANSWER = Script(openai_stream())
OTHER = Script(openai_stream(("Something", " else")))
KEYS = {"FIRST_KEY": "sk-hunter2-first", "SECOND_KEY": "sk-hunter2-second"}

CONFIG = """
providers:
  first: {{base_url: "{first}/v1", openai_compatible: true, api_key_env: FIRST_KEY}}
  second: {{base_url: "{second}/v1", openai_compatible: true, api_key_env: SECOND_KEY}}
models:
  big:
    {{provider: first, model: big-upstream, max_output_tokens: 100, defaults: {{temperature: 0.7}},
      timeouts: {big_timeouts}}}
  small: {{provider: second}}
  trial: {{provider: second}}
tasks:
  explain: {{primary: big, fallback: [small], testing: [trial], timeouts: {task_timeouts}}}
settings:
  max_retries: {max_retries}
  timeouts:
    {{connect_s: {connect_s}, first_token_s: {first_token_s}, between_tokens_s: {between_s}, total_s: {total_s}}}
  breaker: {{failures: {failures}, open_s: {open_s}}}
param_policies:
  models:
    big: {{drop: [verbosity], forbid: [reasoning_effort]}}
    small: {{forbid: [top_p]}}
"""
NOWHERE = "http://127.0.0.1:9"
VALUES: Mapping[str, object] = {
    "first": NOWHERE,
    "second": NOWHERE,
    "max_retries": 1,
    "connect_s": 5,
    "first_token_s": 20,
    "between_s": 20,
    "total_s": 60,
    "failures": 5,
    "open_s": 30,
    "big_timeouts": "{}",
    "task_timeouts": "{}",
}


def settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, **({"environment": "development", "llm_simulator_speed": "instant"} | changes))


PRODUCTION = {"environment": "production", "secret_key": "x" * 40, "database_url": "sqlite:///service.db"}


@asynccontextmanager
async def gateway(
    environ: Mapping[str, str] = KEYS, changes: Mapping[str, Any] | None = None, **values: object
) -> AsyncIterator[Gateway]:
    """A gateway with `CONFIG` filled in by `values`, and with settings changed by `changes`."""
    config = parse_llm_config(CONFIG.format(**{**VALUES, **values}), "llm.yaml", environ)
    async with Gateway.open(settings(**(changes or {})), config, environ) as opened:
        yield opened


def question(text: str = "why?", **more: Any) -> ChatRequest:
    own = {name: more.pop(name) for name in ("timeout_s", "fault") if name in more}
    return ChatRequest((Message("user", text),), SamplingParams(**more), request_id="r1", **own)


async def read(opened: Gateway, request: ChatRequest | None = None, model: str | None = None) -> list[StreamItem]:
    async with asyncio.timeout(30), await opened.open_stream("explain", request or question(), model) as stream:
        return [item async for item in stream]


def text_of(items: list[StreamItem]) -> str:
    return "".join(item.content for item in items if isinstance(item, Token))


async def pieces_until_broken(stream: OpenStream) -> tuple[list[StreamItem], ProviderError]:
    """What still came of a stream before it broke, and the error."""
    items: list[StreamItem] = []
    try:
        async for item in stream:
            items.append(item)  # noqa: PERF401  # what came before the error counts
    except ProviderError as error:
        return items, error
    raise AssertionError("the stream did not break")
