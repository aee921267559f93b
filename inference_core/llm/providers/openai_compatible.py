"""A client of OpenAI's chat completions API, which most servers support."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import httpx2
from pydantic import SecretStr

from inference_core.core.loggers import get_logger
from inference_core.llm import errors
from inference_core.llm.providers.chunks import AnswerState, as_json, reply_of
from inference_core.llm.providers.event_stream import EventReader, EventTooLargeError
from inference_core.llm.providers.failures import details_in, failure
from inference_core.llm.providers.network import http_client, network_errors
from inference_core.llm.simulator.faults import FAULT_HEADER
from inference_core.llm.types import SIGN_OF_LIFE, ChatRequest, ModelCall, ProviderItem, Reply, Token

log = get_logger(__name__)

LONGEST_ERROR_BYTES = 64 * 1024
LONGEST_ANSWER_BYTES = 16 * 1024 * 1024
# Time limit from the finish reason to the usage, the end marker or the end.
LONGEST_FINISH_S = 2.0
# Time limit from the end marker to the end. At the end, the connection can be reused.
LONGEST_END_S = 0.2
CHAT = "/chat/completions"
OPTIONS = "stream_options"


class OptionsRefusedError(errors.ProviderBadRequestError):
    """Raised for a refusal that may concern `stream_options`, by a server that has never accepted them."""


class OpenAICompatibleProvider:
    """A server at `base_url`. Only the time to connect is limited here; the gateway limits the answer."""

    def __init__(
        self, name: str, base_url: str, api_key: SecretStr | None, *, connect_s: float, simulator: bool = False
    ) -> None:
        self.name = name
        self.simulated = simulator
        key = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
        self._client = http_client(base_url, connect_s, headers=key)
        # Whether streams request their usage: True after the server has accepted the option, False after it has refused
        # it.
        self._asks_usage: bool | None = None

    async def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[ProviderItem, None]:
        """Yield the pieces as they arrive, then the usage, which is estimated if the server does not report it."""
        state = AnswerState(self.name, request, planned=self.simulated)
        async with self._stream_answer(request, call) as response:
            if _is_json(response):
                # The server does not stream.
                reply = await self._whole(request, response)
                if reply.content:
                    yield Token(reply.content)
                yield reply.usage
                return
            async with aclosing(response.aiter_bytes()) as pieces:
                async with aclosing(self._items(pieces, state)) as items:
                    async for item in items:
                        yield item
                await _read_to_the_end(pieces)
        yield state.usage()

    async def _items(
        self, pieces: AsyncGenerator[bytes, None], state: AnswerState
    ) -> AsyncGenerator[ProviderItem, None]:
        """Yield the text in the bytes of a response, and a sign of life for bytes without text."""
        reader = EventReader()
        while not state.done:
            piece = await _piece(pieces, LONGEST_FINISH_S if state.finished else None)
            try:
                events = reader.end() if piece is None else reader.feed(piece)
            except EventTooLargeError:
                raise errors.UpstreamFailedError(self.name, "an event is larger than 1 MiB") from None
            has_text = False
            for token in state.tokens(events):
                has_text = True
                yield token
            if piece is None:
                return
            if not has_text:
                yield SIGN_OF_LIFE

    async def complete(self, request: ChatRequest, call: ModelCall) -> Reply:
        """Return the complete answer."""
        async with self._answer("POST", CHAT, request, _body(request, call)) as response:
            return await self._whole(request, response)

    async def _whole(self, request: ChatRequest, response: httpx2.Response) -> Reply:
        body = await _read(response, LONGEST_ANSWER_BYTES)
        return reply_of(self.name, request, as_json(self.name, body.decode("utf-8-sig", "replace")))

    async def models(self) -> list[str]:
        """Return the models that the server lists under /models."""
        async with self._answer("GET", "/models") as response:
            body = as_json(self.name, await _read(response, LONGEST_ANSWER_BYTES))
        listed = body.get("data") if body else None
        if not isinstance(listed, list):
            raise errors.UpstreamFailedError(self.name, "the list of models has no data")
        return [str(model["id"]) for model in listed if isinstance(model, dict) and "id" in model]

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    @asynccontextmanager
    async def _stream_answer(self, request: ChatRequest, call: ModelCall) -> AsyncIterator[httpx2.Response]:
        """Open a streamed call. If the server refuses `stream_options`, repeat the call once without them."""
        body = _body(request, call) | {"stream": True}
        refusal: OptionsRefusedError | None = None
        if self._asks_usage is not False:
            try:
                async with self._answer("POST", CHAT, request, body | {OPTIONS: {"include_usage": True}}) as response:
                    self._asks_usage = True
                    yield response
                    return
            except OptionsRefusedError as error:
                refusal = error
        async with self._answer("POST", CHAT, request, body) as response:
            if refusal is not None:
                self._asks_usage = False
                log.warning("llm_stream_options_refused", provider=self.name, diagnostic=refusal.diagnostic)
            yield response

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, request: ChatRequest | None = None, body: dict[str, Any] | None = None
    ) -> AsyncIterator[httpx2.Response]:
        """Open a call whose body is not read yet. Errors of httpx2 within the context are converted."""
        fault = request.fault if self.simulated and request else None
        headers = {FAULT_HEADER.encode(): fault.encode("latin-1", "replace")} if fault else None
        with network_errors(self.name):
            async with self._client.stream(method, path, json=body, headers=headers) as response:
                if response.status_code != httpx2.codes.OK:
                    raise await self._failure(response, asked_options=OPTIONS in (body or {}))
                yield response

    async def _failure(self, response: httpx2.Response, *, asked_options: bool) -> errors.ProviderError:
        body = await _read(response, LONGEST_ERROR_BYTES)
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = body.decode(errors="replace")
        details = details_in(content)
        error = failure(self.name, response.status_code, response.headers, details)
        never_took_options = asked_options and self._asks_usage is None
        if never_took_options and isinstance(error, errors.ProviderBadRequestError) and details.may_be_about(OPTIONS):
            return OptionsRefusedError(self.name, error.diagnostic)
        return error


def _body(request: ChatRequest, call: ModelCall) -> dict[str, Any]:
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return {"model": call.upstream, "messages": messages, **call.parameters}


def _is_json(response: httpx2.Response) -> bool:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


async def _piece(pieces: AsyncGenerator[bytes, None], limit_s: float | None) -> bytes | None:
    """Return the next bytes, or None at the end.

    With a limit, the answer is already complete, so an error while waiting for the rest of the stream is not a failure.
    """
    try:
        async with asyncio.timeout(limit_s):
            return await anext(pieces, None)
    except (TimeoutError, httpx2.HTTPError):
        if limit_s is None:
            raise
        return None


async def _read_to_the_end(pieces: AsyncGenerator[bytes, None]) -> None:
    """Read the rest of the stream after a complete answer, so that the connection can be reused."""
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(LONGEST_END_S):
            async for _ in pieces:
                pass


async def _read(response: httpx2.Response, limit: int) -> bytes:
    """Return the body, at most up to `limit`."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > limit:
            break
    return body
