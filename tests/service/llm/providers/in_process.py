"""A provider whose server is a list of bytes in this process, for thousands of streams in seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import httpx2
import pytest

from inference_core.llm.config.schema import Timeouts
from inference_core.llm.errors import ProviderError
from inference_core.llm.gateway.breaker import CircuitBreaker
from inference_core.llm.gateway.candidates import Candidate
from inference_core.llm.gateway.open_stream import OpenStream
from inference_core.llm.gateway.time_limits import Deadline
from inference_core.llm.providers.openai_compatible import OpenAICompatibleProvider
from inference_core.llm.types import ChatRequest, Message, ModelCall, Provider, SamplingParams, StreamItem, Token, Usage

REQUEST = ChatRequest((Message("user", "why is the sky blue"),))
CALL = ModelCall("m", "m")
Handler = Callable[[httpx2.Request], httpx2.Response]


class Pieces(httpx2.AsyncByteStream):
    """A body in pieces, and pauses between them."""

    def __init__(self, pieces: Sequence[bytes | float]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                await asyncio.sleep(piece)


def answering(
    pieces: Sequence[bytes | float], status: int = 200, content_type: str | None = "text/event-stream"
) -> Handler:
    """A server that gives this answer to every call; numbers are pauses in seconds."""
    headers = {"Content-Type": content_type} if content_type is not None else {}
    return lambda _: httpx2.Response(status, headers=headers, stream=Pieces(pieces))


def client_of(handler: Handler) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.MockTransport(handler), base_url="http://provider.test/v1")


def provider_of(handler: Handler) -> OpenAICompatibleProvider:
    with reaching(handler, "openai_compatible"):
        return OpenAICompatibleProvider("p", "http://127.0.0.1:9/v1", None, connect_s=1)


@contextmanager
def reaching(handler: Handler, *kinds: str) -> Iterator[None]:
    """Providers of these kinds that are made inside have this server instead of a network.

    Only they are imported: a vendor's client takes seconds.
    """
    with pytest.MonkeyPatch.context() as patch:
        for kind in kinds:
            patch.setattr(f"inference_core.llm.providers.{kind}.http_client", lambda *_, **__: client_of(handler))
        yield


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stream gave: its items, the error it broke with, and the failures that its breaker counted."""

    items: list[StreamItem]
    error: ProviderError | None
    failures: int

    @property
    def text(self) -> str:
        return "".join(item.content for item in self.items if isinstance(item, Token))

    @property
    def usage(self) -> Usage:
        """The usage of an answer that ended as it should: one, and last."""
        assert self.error is None, self.error.diagnostic
        assert [isinstance(item, Usage) for item in self.items] == [False] * (len(self.items) - 1) + [True]
        usage = self.items[-1]
        assert isinstance(usage, Usage)
        return usage


async def read(provider: Provider, timeouts: Timeouts = Timeouts()) -> Reading:  # noqa: B008  # it is frozen
    """Read as the gateway does, within its timeouts and through a circuit breaker."""
    breaker = CircuitBreaker("p", failures_allowed=100, open_s=1)
    broken: list[ProviderError] = []
    stream = OpenStream(
        Candidate("p", CALL, SamplingParams(), 1024, Timeouts()),
        provider,
        provider.stream(REQUEST, CALL),
        deadline=Deadline.after(timeouts.total_s),
        breaker=breaker,
        messages=REQUEST.messages,
        on_break=broken.append,
    )
    items: list[StreamItem] = []
    error = None
    try:
        async with aclosing(stream):
            await stream.begin(timeouts)
            async for item in stream:
                items.append(item)  # noqa: PERF401  # what came before an error counts
    except ProviderError as caught:
        error = caught
    assert len(broken) == (error is not None and bool(items))
    assert all(item.content for item in items if isinstance(item, Token))
    return Reading(items, error, breaker.failures)
