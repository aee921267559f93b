"""Differences between servers with the API of OpenAI, and invalid responses."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from inference_core.llm import errors
from inference_core.llm.providers import openai_compatible
from inference_core.llm.providers.openai_compatible import OpenAICompatibleProvider, OptionsRefusedError
from inference_core.llm.types import SIGN_OF_LIFE, ChatRequest, Message, ModelCall, StreamItem, Token, Usage
from tests.service.llm.providers.in_process import answering, provider_of
from tests.service.llm.providers.in_process import read as read_in_process
from tests.service.llm.providers.wires import SECRET, data, openai_chunk, openai_piece, openai_stream
from tests.support.logs import log_lines_of
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
                return [item async for item in stream if item is not SIGN_OF_LIFE]
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


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": [{"index": 0, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]},
        {"choices": [None, {"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "delta": {"content": None, "tool_calls": [{}]}, "finish_reason": "stop"}]},
    ],
)
async def test_what_a_piece_leaves_out_is_passed_over(odd: dict[str, Any]) -> None:
    usage = {"prompt_tokens": 3.0, "completion_tokens": 2.0}
    empty = [{"choices": []}, {"choices": None}, {"choices": [None]}, {}, None]
    items = await read(openai_piece("a"), *map(data, empty), data(odd), data({"choices": [], "usage": usage}))
    assert items == [Token("a"), Usage(3, 2)]


@pytest.mark.parametrize(
    "place",
    [
        {"choices": [{"delta": {}, "usage": {"prompt_tokens": 3, "completion_tokens": 2}}]},
        {"choices": [], "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}},
    ],
)
async def test_usage_may_stand_elsewhere(place: dict[str, Any]) -> None:
    assert (await read(openai_piece("a"), data(place), *END))[-1] == Usage(3, 2)


@pytest.mark.parametrize("count", [0, 3_000_000_000, 1e300, 2.5, True, "2", None])
async def test_an_implausible_count_is_estimated(count: Any) -> None:
    for usage in ({"prompt_tokens": 3, "completion_tokens": count}, {"prompt_tokens": count, "completion_tokens": 2}):
        assert (await read(openai_piece("abcde"), data({"usage": usage}), *END))[-1] == Usage(1, 2, estimated=True)


async def test_content_in_parts_is_joined_without_the_thoughts() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    parts = [thinking, {"type": "text", "text": "a"}, {"type": "reference", "reference_ids": [1]}, "b", {"text": "c"}]
    answer = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    assert text(await read(data({"choices": [{"delta": {"content": parts}}]}), *END)) == "abc"
    reply = await provider_of(answering([json.dumps(answer).encode()])).complete(REQUEST, CALL)
    assert (reply.content, reply.usage.estimated) == ("abc", True)


@pytest.mark.parametrize("parts", [[5], [{"type": "text", "text": 5}], [["a"]]])
async def test_parts_that_cannot_be_read_are_a_failure(parts: Any) -> None:
    with pytest.raises(errors.UpstreamFailedError):
        await read(data({"choices": [{"delta": {"content": parts}}]}), *END)


@pytest.mark.parametrize(
    "sign",
    [
        b": ping\n\n",
        b"event: ping\ndata: {}\n\n",
        data({"choices": [{"delta": {"reasoning_content": "hm"}}]}),
        data({"choices": [{"delta": {"reasoning": "hm"}}]}),
        data({"choices": [{"delta": {"thinking": "hm"}}]}),
        data({"choices": [{"delta": {"role": "assistant", "content": ""}}]}),
        data({"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}),
        b'data: {"choices": [{"del',
    ],
)
async def test_whatever_comes_without_text_is_a_sign_of_life(sign: bytes) -> None:
    async with aclosing(provider_of(answering([sign, DONE])).stream(REQUEST, CALL)) as stream:
        assert await anext(stream) is SIGN_OF_LIFE


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "", "TEXT/EVENT-STREAM;charset=utf-8"])
async def test_the_type_of_a_stream_may_be_wrong_or_missing(kind: str) -> None:
    async with wire_server(Script(openai_stream(), content_type=kind)) as server:
        provider = provider_at(server)
        assert text([item async for item in provider.stream(REQUEST, CALL)]) == "The sky is blue — 青い."
        await provider.aclose()


async def test_a_server_that_does_not_stream_is_read_all_the_same() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    body = {"choices": [{"message": {"content": "a b"}, "finish_reason": "stop"}], "usage": usage}
    provider = provider_of(answering([json.dumps(body).encode()], content_type="application/json"))
    assert [item async for item in provider.stream(REQUEST, CALL)] == [Token("a b"), Usage(3, 2)]


@pytest.mark.parametrize("end", ["hang", "reset", "cut"])
async def test_after_the_reason_to_finish_nothing_more_has_to_come(end: Any) -> None:
    async with wire_server(Script([openai_piece("a"), END[0], 0.05], end=end)) as server:
        provider = provider_at(server)
        async with asyncio.timeout(10):
            items = [item async for item in provider.stream(REQUEST, CALL) if item is not SIGN_OF_LIFE]
        assert items == [Token("a"), Usage(1, 1, estimated=True)]
        await provider.aclose()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"error": {"message": "m", "code": 429}}, errors.ProviderRateLimitedError),
        ({"error": {"message": "m", "type": "rate_limit_error"}}, errors.ProviderRateLimitedError),
        ({"error": {"message": "maximum context length", "code": "400"}}, errors.ContextTooLongError),
        ({"error": "Trying to keep the first 9 tokens when context the overflows."}, errors.ContextTooLongError),
        ({"object": "error", "message": "m", "code": 400}, errors.ProviderBadRequestError),
        ({"error": {"message": "m", "code": 503}}, errors.UpstreamUnavailableError),
        ({"error": {"message": "m", "type": "server_error"}}, errors.UpstreamFailedError),
        ({"choices": [{"delta": {}, "finish_reason": "error"}]}, errors.UpstreamFailedError),
    ],
)
async def test_an_error_inside_a_stream_is_the_one_it_says(
    error: dict[str, Any], kind: type[errors.ProviderError]
) -> None:
    reading = await read_in_process(provider_of(answering([openai_piece("a"), data(error), *END])))
    assert type(reading.error) is kind
    assert reading.text == "a"
    assert reading.failures == (1 if kind.counts else 0)


REFUSALS_OF_OPTIONS = [
    (400, {"error": {"message": "unknown field", "type": "invalid_request_error"}}),
    (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"], "msg": "no"}]}),
    (400, {"error": {"message": "Unrecognized request argument supplied: stream_options", "code": "some_code"}}),
    (
        422,
        {
            "object": "error",
            "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "no"}]},
            "type": "invalid_request_error",
        },
    ),
    (400, {"error": {"code": 400, "message": "Validation error at #/stream_options: Extra inputs are not permitted"}}),
    (400, "Bad Request"),
]


class Refusing:
    """A server that refuses `stream_options`, or every request, with this answer."""

    def __init__(self, status: int, body: Any, *, always: bool = False) -> None:
        self.status, self.body, self.always = status, body, always
        self.asked: list[bool] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append("stream_options" in json.loads(request.content))
        if self.asked[-1] or self.always:
            return httpx2.Response(self.status, content=json.dumps(self.body).encode())
        return answering([openai_piece("abcde"), *END])(request)


@pytest.mark.parametrize(("status", "body"), REFUSALS_OF_OPTIONS)
async def test_a_server_that_refuses_stream_options_is_asked_without_them_from_then_on(
    status: int, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Refusing(status, body)
    provider = provider_of(server)
    logs = log_lines_of(openai_compatible, monkeypatch)
    for _ in range(2):
        reading = await read_in_process(provider)
        assert (reading.text, reading.usage) == ("abcde", Usage(5, 2, estimated=True))
        assert reading.failures == 0
    assert server.asked == [True, False, False]
    (line,) = logs
    assert (line["event"], line["provider"]) == ("llm_stream_options_refused", "p")
    assert line["diagnostic"].startswith(f"status {status}, code ")


async def test_the_part_of_a_request_that_is_refused_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    status, body = REFUSALS_OF_OPTIONS[1]
    logs = log_lines_of(openai_compatible, monkeypatch)
    await read_in_process(provider_of(Refusing(status, body)))
    assert logs[0]["diagnostic"] == "status 422, code extra_forbidden, parameter stream_options.include_usage"


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        # It may be about anything, and is asked about once for each request until one succeeds.
        ({"error": {"message": "bad", "type": "invalid_request_error"}}, [True, False, True, False]),
        ({"error": {"message": "bad", "type": "invalid_request_error", "param": "messages"}}, [True, True]),
        ({"error": {"message": "bad", "code": "content_policy_violation"}}, [True, True]),
        ({"error": {"message": "maximum context length"}}, [True, True]),
    ],
)
async def test_other_refusals_are_not_taken_for_one_of_stream_options(
    body: Any, asked: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Refusing(400, body, always=True)
    provider = provider_of(server)
    logs = log_lines_of(openai_compatible, monkeypatch)
    for _ in range(2):
        reading = await read_in_process(provider)
        assert isinstance(reading.error, errors.ProviderBadRequestError | errors.ContextTooLongError)
        assert type(reading.error) is not OptionsRefusedError
    assert server.asked == asked
    assert logs == []


async def test_a_server_that_took_stream_options_once_is_not_asked_twice() -> None:
    answers = [answering([openai_piece("a"), *END]), lambda _: httpx2.Response(400, content=b'{"error": "bad"}')]
    asked = 0

    def server(request: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        return answers[min(asked, 2) - 1](request)

    provider = provider_of(server)
    assert (await read_in_process(provider)).text == "a"
    assert type((await read_in_process(provider)).error) is errors.ProviderBadRequestError
    assert asked == 2


async def test_an_answer_without_text_is_only_its_usage() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 50}
    assert await read(openai_chunk(choices=[LAST], usage=usage), DONE) == [Usage(3, 50)]


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": [5]},
        {"choices": {"0": {}}},
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
