"""A thin client of the chat completions API that OpenAI shaped and most servers speak."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, cast

import httpx2
from pydantic import SecretStr

from inference_core.llm import errors
from inference_core.llm.providers.chunks import Tally, as_json, reply_of
from inference_core.llm.providers.failures import http_failure
from inference_core.llm.providers.network import KEPT_CONNECTIONS, network_errors
from inference_core.llm.simulator.faults import FAULT_HEADER
from inference_core.llm.types import ChatRequest, ModelCall, Reply, StreamItem

LONGEST_ERROR_BYTES = 64 * 1024
LONGEST_END_S = 0.2


class OpenAICompatibleProvider:
    """A server at `base_url`.

    How long an answer may take is the gateway's matter; only reaching the server is bounded here. Redirects are not
    followed, so that the key reaches no other host.
    """

    def __init__(
        self, name: str, base_url: str, api_key: SecretStr | None, *, connect_s: float, simulator: bool = False
    ) -> None:
        self.name = name
        self.simulated = simulator
        key = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
        self._client = httpx2.AsyncClient(
            base_url=base_url,
            headers=key,
            timeout=httpx2.Timeout(None, connect=connect_s),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS),
            # A simulator runs on this machine; no proxy of the environment stands between.
            trust_env=not simulator,
        )

    async def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[StreamItem, None]:
        """The pieces as they come, then the usage, counted here if the server does not say it."""
        body = _body(request, call) | {"stream": True, "stream_options": {"include_usage": True}}
        tally = Tally(self.name, request, planned=self.simulated)
        async with self._answer("POST", "/chat/completions", request, body) as response, _events(response) as events:
            async for event in events:
                if event.data == "[DONE]":
                    tally.finished = True
                    break
                if event.data and (token := tally.token(as_json(self.name, event.data))):
                    yield token
            await _read_to_the_end(events)
        yield tally.usage()

    async def complete(self, request: ChatRequest, call: ModelCall) -> Reply:
        """The whole answer in one piece."""
        async with self._answer("POST", "/chat/completions", request, _body(request, call)) as response:
            return reply_of(self.name, request, as_json(self.name, await response.aread()))

    async def models(self) -> list[str]:
        """What the server lists under /models."""
        async with self._answer("GET", "/models") as response:
            listed = as_json(self.name, await response.aread()).get("data")
        if not isinstance(listed, list):
            raise errors.UpstreamFailedError(self.name, "a list of models without data")
        return [str(model["id"]) for model in listed if isinstance(model, dict) and "id" in model]

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, request: ChatRequest | None = None, body: dict[str, Any] | None = None
    ) -> AsyncIterator[httpx2.Response]:
        """The answer to a call, its body not read yet; what httpx2 raises inside becomes an error of ours."""
        headers = {FAULT_HEADER: request.fault} if self.simulated and request and request.fault else {}
        with network_errors(self.name):
            async with self._client.stream(method, path, json=body, headers=headers) as response:
                if response.status_code != httpx2.codes.OK:
                    raise await _failure(self.name, response)
                yield response


def _body(request: ChatRequest, call: ModelCall) -> dict[str, Any]:
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return {"model": call.upstream, "messages": messages, **call.parameters}


def _events(response: httpx2.Response) -> aclosing[AsyncGenerator[httpx2.ServerSentEvent, None]]:
    return aclosing(cast("AsyncGenerator[httpx2.ServerSentEvent, None]", aiter(httpx2.EventSource(response))))


async def _read_to_the_end(events: AsyncGenerator[httpx2.ServerSentEvent, None]) -> None:
    """Read what follows a complete answer, usually nothing, so that the connection can be used again."""
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(LONGEST_END_S):
            async for _ in events:
                pass


async def _failure(provider: str, response: httpx2.Response) -> errors.ProviderError:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > LONGEST_ERROR_BYTES:
            break
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    # Gemini's compatible endpoint puts it into a list.
    said = said[0] if isinstance(said, list) and said else said
    error = said.get("error") if isinstance(said, dict) else None
    error = error if isinstance(error, dict) else {}
    code = error.get("code") if isinstance(error.get("code"), str) else error.get("type")
    return http_failure(provider, response.status_code, response.headers, code, error.get("message"))
