"""What the many servers that speak OpenAI's language do differently, and what none of them may get away with."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import SecretStr

from inference_core.llm import errors
from inference_core.llm.providers.openai_compatible import OpenAICompatibleProvider
from inference_core.llm.types import ChatRequest, Message, ModelCall, StreamItem, Token, Usage
from tests.service.llm.providers.wires import SECRET, data, openai_chunk, openai_piece, openai_stream
from tests.support.wire_server import Script, WireServer, wire_server

pytestmark = pytest.mark.anyio

REQUEST = ChatRequest((Message("user", "why?"),))
CALL = ModelCall("m", "m")
LAST = {"index": 0, "delta": {}, "finish_reason": "stop"}
DONE = b"data: [DONE]\n\n"
END = [openai_chunk(choices=[LAST]), DONE]


def provider_at(server: WireServer, *, simulator: bool = False) -> OpenAICompatibleProvider:
    key = None if simulator else SecretStr(SECRET)
    return OpenAICompatibleProvider("p", f"{server.url}/v1", key, connect_s=5, simulator=simulator)


async def read(*pieces: bytes | float, simulator: bool = False) -> list[StreamItem]:
    async with wire_server(Script(pieces)) as server:
        provider = provider_at(server, simulator=simulator)
        try:
            async with asyncio.timeout(20), aclosing(provider.stream(REQUEST, CALL)) as stream:
                return [item async for item in stream]
        finally:
            await provider.aclose()


def text(items: list[StreamItem]) -> str:
    return "".join(item.content for item in items if isinstance(item, Token))


async def test_comments_pings_and_unknown_fields_are_passed_over() -> None:
    items = await read(b": OPENROUTER PROCESSING\n\n", b"retry: 3\nid: 7\n\n", openai_piece("a"), b": ping\n\n", *END)
    assert text(items) == "a"


async def test_missing_usage_is_estimated_and_says_so() -> None:
    items = await read(openai_piece("abcde"), *END)
    assert items[-1] == Usage(input_tokens=1, output_tokens=2, estimated=True)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": "3"}, {"prompt_tokens": -1, "completion_tokens": 2}, 5, "x"])
async def test_usage_that_makes_no_sense_is_estimated(usage: Any) -> None:
    items = await read(openai_piece("a"), openai_chunk(choices=[LAST], usage=usage), DONE)
    assert items[-1] == Usage(1, 1, estimated=True)


async def test_usage_may_come_with_the_last_piece_and_the_last_one_counts() -> None:
    early = {"prompt_tokens": 3, "completion_tokens": 1}
    late = {"prompt_tokens": 3, "completion_tokens": 9}
    items = await read(openai_chunk(choices=[LAST], usage=early), openai_chunk(choices=[LAST], usage=late), DONE)
    assert items == [Usage(3, 9)]


@pytest.mark.parametrize("end", [[openai_chunk(choices=[LAST])], [DONE]], ids=["no DONE", "no reason"])
async def test_either_mark_of_the_end_is_enough(end: list[bytes]) -> None:
    assert text(await read(openai_piece("a"), *end)) == "a"


async def test_a_space_after_the_colon_may_be_missing() -> None:
    squeezed = [piece.replace(b"data: ", b"data:", 1) for piece in openai_stream()]
    assert text(await read(*squeezed)) == "The sky is blue — 青い."


async def test_thoughts_are_not_part_of_the_answer_and_a_refusal_is() -> None:
    thought = openai_chunk(choices=[{"index": 0, "delta": {"reasoning_content": "hm", "content": None}}])
    refusal = openai_chunk(choices=[{"index": 0, "delta": {"refusal": "No.", "content": None}}])
    assert text(await read(thought, refusal, *END)) == "No."


async def test_an_answer_without_text_is_only_its_usage() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 50}
    assert await read(openai_chunk(choices=[LAST], usage=usage), DONE) == [Usage(3, 50)]


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": [5]},
        {"choices": {"0": {}}},
        {"choices": [{"index": 0}]},
        {"choices": [{"delta": "text"}]},
        {"choices": [{"delta": {"content": {"text": "x"}}}]},
        {"error": "overloaded"},
    ],
)
async def test_a_piece_of_an_unknown_shape_is_a_failure(chunk: dict[str, Any]) -> None:
    with pytest.raises(errors.UpstreamFailedError):
        await read(openai_piece("a"), data(chunk), *END)


async def test_an_event_without_end_does_not_fill_the_memory() -> None:
    with pytest.raises(errors.UpstreamFailedError):
        await read(*[b"data: " + b"x" * 1_000_000] * 3)


async def test_a_long_error_is_read_only_in_part() -> None:
    script = Script([b"x" * 60_000] * 200, 500, content_type="text/plain")
    async with wire_server(script) as server:
        provider = provider_at(server)
        with pytest.raises(errors.UpstreamFailedError):
            await anext(provider.stream(REQUEST, CALL))
        await provider.aclose()


async def test_who_keeps_the_connection_open_after_the_end_is_not_waited_for() -> None:
    async with wire_server(Script(openai_stream(), end="hang")) as server:
        provider = provider_at(server)
        began = time.monotonic()
        items = [item async for item in provider.stream(REQUEST, CALL)]
        assert time.monotonic() - began < 5
        assert items[-1] == Usage(11, 7)
        await provider.aclose()


async def test_planned_times_are_believed_of_a_simulator_only() -> None:
    planned = openai_chunk(choices=[{"index": 0, "delta": {"content": "a"}}], planned_ms=12.5)
    assert (await read(planned, *END, simulator=True))[0] == Token("a", 12.5)
    assert (await read(planned, *END))[0] == Token("a")


async def test_the_models_a_server_lists() -> None:
    listed = {"object": "list", "data": [{"id": "one"}, {"id": "two"}, "odd"]}
    async with wire_server(
        Script([json.dumps(listed).encode()], content_type="application/json"),
        Script([b"{}"], content_type="application/json"),
    ) as server:
        provider = provider_at(server)
        assert await provider.models() == ["one", "two"]
        with pytest.raises(errors.UpstreamFailedError):
            await provider.models()
        await provider.aclose()
    assert server.requests[0].path == "/v1/models"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": 5}]}', b"{" * 100_000]
)
async def test_a_whole_answer_without_text_is_a_failure(body: bytes) -> None:
    async with wire_server(Script([body], content_type="application/json")) as server:
        provider = provider_at(server)
        with pytest.raises(errors.UpstreamFailedError):
            await provider.complete(REQUEST, CALL)
        await provider.aclose()
