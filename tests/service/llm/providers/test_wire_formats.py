"""The provider of each vendor against a server with its API: complete streams, errors and broken streams."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from inference_core.app.stack.ports import free_port
from inference_core.llm import errors
from inference_core.llm.types import SIGN_OF_LIFE, ChatRequest, Message, ModelCall, Provider, StreamItem, Token, Usage
from tests.service.llm.providers.wires import PIECES, SECRET, TELLTALE, WIRES, Wire
from tests.support.wire_server import Script, WireServer, wire_server

# One process imports the vendors' clients, which takes seconds.
pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("vendors")]

CALL = ModelCall("shown", "sent", {"temperature": 0.5})
REQUEST = ChatRequest(
    (
        Message("system", "Be brief."),
        Message("user", "why is the sky blue"),
        Message("assistant", "It is not."),
        Message("user", "why?"),
    )
)
PATIENCE_S = 20


@pytest.fixture(params=WIRES, ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    chosen: Wire = request.param
    return chosen


@asynccontextmanager
async def connected(wire: Wire, *scripts: Script) -> AsyncIterator[tuple[Provider, WireServer]]:
    async with wire_server(*scripts) as server:
        provider = wire.provider(server.url)
        try:
            yield provider, server
        finally:
            await provider.aclose()


async def read(provider: Provider) -> list[StreamItem]:
    async with asyncio.timeout(PATIENCE_S):
        return [item async for item in provider.stream(REQUEST, CALL) if item is not SIGN_OF_LIFE]


async def until_broken(provider: Provider) -> tuple[list[str], errors.ProviderError]:
    """The pieces that came before the stream broke, and what it broke with."""
    pieces = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for item in provider.stream(REQUEST, CALL):
                assert not isinstance(item, Usage)
                if item is not SIGN_OF_LIFE:
                    pieces.append(item.content)
    except errors.ProviderError as error:
        return pieces, error
    raise AssertionError("the stream did not break")


def contents(items: list[StreamItem]) -> tuple[str, ...]:
    return tuple(item.content for item in items if isinstance(item, Token))


async def test_a_stream_gives_every_piece_in_order_and_the_true_usage(wire: Wire) -> None:
    async with connected(wire, Script(wire.stream())) as (provider, _):
        items = await read(provider)
    assert contents(items) == PIECES
    assert items[-1] == Usage(11, 7)
    assert len(items) == len(PIECES) + 1


async def test_the_request_says_what_was_asked(wire: Wire) -> None:
    async with connected(wire, Script(wire.stream())) as (provider, server):
        await read(provider)
    (received,) = server.requests
    assert received.method == "POST"
    assert "sent" in received.path + str(received.json.get("model"))
    sent = json.dumps(received.json)
    assert all(message.content in sent for message in REQUEST.messages)
    assert "shown" not in sent
    assert SECRET in " ".join(received.headers.values())
    assert received.json.get("temperature", received.json.get("generationConfig", {}).get("temperature")) == 0.5


async def test_bytes_may_be_cut_anywhere(wire: Wire) -> None:
    """One byte at a time: within characters of several bytes, within lines, between the two of an end of line."""
    whole = b"".join(wire.stream())
    async with connected(wire, Script([whole[at : at + 1] for at in range(len(whole))])) as (provider, _):
        items = await read(provider)
    assert contents(items) == PIECES
    assert items[-1] == Usage(11, 7)


async def test_lines_may_end_with_a_carriage_return(wire: Wire) -> None:
    whole = b"".join(wire.stream()).replace(b"\n", b"\r\n")
    cut = whole.index(b"\r\n") + 1  # between the two
    async with connected(wire, Script([whole[:cut], 0.02, whole[cut:]])) as (provider, _):
        assert contents(await read(provider)) == PIECES


@pytest.mark.parametrize(
    ("status", "kind", "counts"),
    [
        (400, errors.ProviderBadRequestError, False),
        (401, errors.ProviderAuthError, False),
        (403, errors.ProviderAuthError, False),
        (404, errors.ProviderModelNotFoundError, False),
        (413, errors.ContextTooLongError, False),
        (429, errors.ProviderRateLimitedError, False),
        (500, errors.UpstreamFailedError, True),
        (502, errors.UpstreamFailedError, True),
        (503, errors.UpstreamUnavailableError, True),
        (529, errors.UpstreamUnavailableError, True),
    ],
)
async def test_every_status_has_its_error(
    wire: Wire, status: int, kind: type[errors.ProviderError], counts: bool
) -> None:
    body = json.dumps(wire.error(status, "some_code")).encode()
    async with connected(wire, Script([body], status, content_type="application/json")) as (provider, server):
        pieces, error = await until_broken(provider)
    assert pieces == []
    assert type(error) is kind
    assert error.counts is counts
    assert error.diagnostic == f"status {status}, code some_code"
    # Nobody but the gateway tries again.
    assert len(server.requests) == 1


async def test_a_prompt_that_is_too_long_is_told_from_other_bad_requests(wire: Wire) -> None:
    script = Script([json.dumps(wire.too_long).encode()], 400, content_type="application/json")
    async with connected(wire, script) as (provider, _):
        _, error = await until_broken(provider)
    assert type(error) is errors.ContextTooLongError


async def test_retry_after_is_passed_on(wire: Wire) -> None:
    body = json.dumps(wire.error(429, "slow_down")).encode()
    script = Script([body], 429, {"Retry-After": "17"}, "application/json")
    async with connected(wire, script) as (provider, _):
        _, error = await until_broken(provider)
    assert error.retry_after_s == 17
    assert not error.retryable


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad Gateway</html>", b"[]", b'"no"', b'{"error": "text"}', b'{"error": 5}']
)
async def test_an_error_may_come_in_any_shape(wire: Wire, body: bytes) -> None:
    async with connected(wire, Script([body], 502, content_type="text/html")) as (provider, _):
        _, error = await until_broken(provider)
    assert isinstance(error, errors.UpstreamFailedError)


@pytest.mark.parametrize("end", ["reset", "cut", "finish"])
async def test_a_stream_that_ends_before_the_answer_does_is_a_failure(wire: Wire, end: str) -> None:
    cut = wire.stream()[: -4 if wire.name != "gemini" else -1]
    script = Script([*cut, 0.05], end=end)  # type: ignore[arg-type]  # one of its words
    async with connected(wire, script) as (provider, _):
        pieces, error = await until_broken(provider)
    assert pieces == list(PIECES[: len(pieces)])
    assert len(pieces) >= 2
    assert type(error) is errors.UpstreamFailedError
    assert error.counts


@pytest.mark.parametrize("junk", [b'data: {"id": "chatcmpl-\n\n', b"data: 5\n\n", b"data: {nonsense}\n\n"])
async def test_a_malformed_piece_is_a_failure_and_not_an_end(wire: Wire, junk: bytes) -> None:
    if wire.name == "anthropic":
        junk = b"event: content_block_delta\n" + junk
    first, *rest = wire.stream()
    async with connected(wire, Script([first, wire.piece("The"), junk, *rest])) as (provider, _):
        pieces, error = await until_broken(provider)
    assert "The" in pieces
    assert type(error) is errors.UpstreamFailedError


async def test_an_error_in_the_middle_of_a_stream_is_one(wire: Wire) -> None:
    first, *_ = wire.stream()
    async with connected(wire, Script([first, wire.piece("The"), wire.mid_stream_error])) as (provider, _):
        pieces, error = await until_broken(provider)
    assert "The" in pieces
    assert isinstance(error, errors.UpstreamFailedError)


async def test_an_answer_that_is_no_stream_is_a_failure(wire: Wire) -> None:
    async with connected(wire, Script([b"<html>Welcome to our proxy</html>"], content_type="text/html")) as (
        provider,
        _,
    ):
        pieces, error = await until_broken(provider)
    assert pieces == []
    assert type(error) is errors.UpstreamFailedError


async def test_a_redirect_is_not_followed(wire: Wire) -> None:
    async with (
        wire_server(Script(wire.stream())) as elsewhere,
        connected(wire, Script(status=307, headers={"Location": f"{elsewhere.url}/v1"})) as (provider, _),
    ):
        _, error = await until_broken(provider)
        assert isinstance(error, errors.ProviderError)
        assert elsewhere.connections == 0


async def test_a_server_that_is_not_there_is_unavailable(wire: Wire) -> None:
    provider = wire.provider(f"http://127.0.0.1:{free_port()}")
    pieces, error = await until_broken(provider)
    assert pieces == []
    assert type(error) is errors.UpstreamUnavailableError
    assert error.retryable
    await provider.aclose()


async def test_each_piece_is_given_when_it_comes(wire: Wire) -> None:
    """A slow drip: nothing is held back until more is there."""
    first, *rest = wire.stream()
    hold = Script([first, wire.piece("drip"), 30.0, *rest])
    async with connected(wire, hold) as (provider, _):
        stream = provider.stream(REQUEST, CALL)
        async with asyncio.timeout(PATIENCE_S):
            while (item := await anext(stream)) != Token("drip"):
                assert not isinstance(item, Usage)
        await stream.aclose()


async def gone(server: WireServer) -> float:
    """Seconds until the server has no connection any more."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while server.open:  # noqa: ASYNC110  # what is watched is another's socket
            await asyncio.sleep(0.005)
    return time.monotonic() - began


async def test_cancelling_the_wait_for_the_first_piece_closes_the_connection(wire: Wire) -> None:
    async with connected(wire, Script(end="hang")) as (provider, server):
        waiting = asyncio.ensure_future(anext(provider.stream(REQUEST, CALL)))
        async with asyncio.timeout(PATIENCE_S):
            while not server.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        waiting.cancel()
        assert await gone(server) < 1
        assert waiting.cancelled()


async def test_closing_the_stream_closes_the_connection(wire: Wire) -> None:
    first, *_ = wire.stream()
    async with connected(wire, Script([first, wire.piece("The")], end="hang")) as (provider, server):
        stream = provider.stream(REQUEST, CALL)
        async with asyncio.timeout(PATIENCE_S):
            await anext(stream)
        assert server.open == 1
        await stream.aclose()
        assert await gone(server) < 1


async def test_a_connection_is_used_again_after_a_whole_answer(wire: Wire) -> None:
    async with connected(wire, Script(wire.stream())) as (provider, server):
        for _ in range(3):
            assert contents(await read(provider)) == PIECES
        assert (len(server.requests), server.connections) == (3, 1)


async def test_more_streams_at_once_than_a_default_pool_has_connections(wire: Wire) -> None:
    first, *_ = wire.stream()
    async with connected(wire, Script([first, wire.piece("The")], end="hang")) as (provider, server):
        streams = [provider.stream(REQUEST, CALL) for _ in range(110)]
        async with asyncio.timeout(100):
            for stream in streams:
                await anext(stream)
        assert server.open == len(streams)
        for stream in streams:
            await stream.aclose()


async def test_neither_key_nor_prompt_nor_a_providers_words_get_out(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps(wire.error(401, "invalid_api_key")).encode()
    async with connected(wire, Script([body], 401, content_type="application/json")) as (provider, _):
        _, error = await until_broken(provider)
        shown = [repr(provider), str(error), repr(error), error.detail, error.diagnostic, repr(error.__dict__)]
    chain: BaseException | None = error
    while chain is not None:
        shown.append(str(chain) if not chain.__suppress_context__ or chain is error else "")
        chain = chain.__cause__
    everything = "\n".join([*shown, caplog.text])
    assert SECRET not in everything
    assert TELLTALE not in everything
    assert "hunter2" not in everything
    assert not any(message.content in everything for message in REQUEST.messages if len(message.content) > 5)
