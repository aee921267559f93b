"""Retries and fallbacks before the first token. After it, a failure ends the stream."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from inference_core.llm import errors
from inference_core.llm.gateway import gateway as gateway_module
from inference_core.llm.types import Usage
from tests.service.llm.gateway.support import ANSWER, OTHER, gateway, pieces_until_broken, question, read, text_of
from tests.service.llm.providers.wires import openai_error, openai_stream
from tests.support.logs import log_lines_of
from tests.support.wire_server import Script, wire_server

pytestmark = pytest.mark.anyio


def failing(status: int, code: str = "some_code", **headers: str) -> Script:
    body = json.dumps(openai_error(status, code)).encode()
    return Script(
        [body], status, {name.replace("_", "-"): value for name, value in headers.items()}, "application/json"
    )


async def test_who_answers_is_told() -> None:
    async with (
        wire_server(ANSWER) as server,
        gateway(first=server.url) as opened,
        await opened.open_stream("explain", question()) as stream,
    ):
        assert (stream.model, stream.provider, stream.simulated) == ("big", "first", False)
        items = [item async for item in stream]
    assert text_of(items) == "The sky is blue — 青い."
    assert items[-1] == Usage(11, 7)


async def test_model_parameters_and_defaults_are_sent_as_the_policy_says() -> None:
    async with wire_server(ANSWER) as server, gateway(first=server.url) as opened:
        await read(opened, question(max_tokens=9, verbosity="low"))
    sent = server.requests[0].json
    assert sent["model"] == "big-upstream"
    assert (sent["max_tokens"], sent["temperature"]) == (9, 0.7)
    assert "verbosity" not in sent


@pytest.mark.parametrize(
    ("script", "calls"),
    [
        (failing(401), 1),
        (failing(404), 1),
        (failing(429, Retry_After="9"), 1),
        (failing(500), 2),
        (failing(503), 2),
        (failing(503, Retry_After="9"), 1),
        (failing(529), 2),
        (Script(end="reset"), 2),
        (Script([b"data: {junk\n\n"]), 2),
        (Script([]), 2),
    ],
    ids=["401", "404", "429", "500", "503", "503 that says when", "529", "reset", "junk", "empty"],
)
async def test_a_failure_before_the_first_token_goes_to_the_fallback(script: Script, calls: int) -> None:
    async with (
        wire_server(script) as first,
        wire_server(OTHER) as second,
        gateway(first=first.url, second=second.url) as opened,
        await opened.open_stream("explain", question()) as stream,
    ):
        assert (stream.model, stream.provider) == ("small", "second")
        assert text_of([item async for item in stream]) == "Something else"
    # The one retry is for what may do better at once.
    assert len(first.requests) == calls


async def test_a_server_that_is_not_there_goes_to_the_fallback() -> None:
    async with wire_server(OTHER) as second, gateway(second=second.url) as opened:
        assert text_of(await read(opened)) == "Something else"


async def test_the_fallback_gets_its_own_parameters() -> None:
    async with wire_server(OTHER) as second, gateway(second=second.url) as opened:
        await read(opened, question(verbosity="low"))
    sent = second.requests[0].json
    assert sent["model"] == "small"
    assert sent["verbosity"] == "low"
    assert "temperature" not in sent


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (failing(400), errors.ProviderBadRequestError),
        (failing(400, "context_length_exceeded"), errors.ContextTooLongError),
    ],
)
async def test_a_request_that_is_wrong_is_not_asked_again(script: Script, kind: type[errors.ProviderError]) -> None:
    async with (
        wire_server(script) as first,
        wire_server(OTHER) as second,
        gateway(first=first.url, second=second.url) as opened,
    ):
        with pytest.raises(kind):
            await read(opened)
        assert (len(first.requests), len(second.requests)) == (1, 0)


async def test_when_all_fail_the_first_error_counts_and_there_was_one_retry_in_all() -> None:
    async with (
        wire_server(failing(500)) as first,
        wire_server(failing(503)) as second,
        gateway(first=first.url, second=second.url) as opened,
    ):
        with pytest.raises(errors.UpstreamFailedError) as raised:
            await read(opened)
        assert type(raised.value) is errors.UpstreamFailedError
        assert raised.value.provider == "first"
        assert len(first.requests) + len(second.requests) == 3


async def test_the_retry_may_succeed() -> None:
    async with wire_server(failing(500), ANSWER) as first, gateway(first=first.url) as opened:
        async with await opened.open_stream("explain", question()) as stream:
            assert stream.provider == "first"
        assert len(first.requests) == 2


async def test_without_retries_there_is_none() -> None:
    async with wire_server(failing(500)) as first, gateway(first=first.url, max_retries=0) as opened:
        with pytest.raises(errors.UpstreamFailedError):
            await read(opened)
        assert len(first.requests) == 1


async def test_after_the_first_token_nothing_is_tried_again() -> None:
    broken = Script([*openai_stream()[:3], 0.05], end="reset")
    async with (
        wire_server(broken) as first,
        wire_server(OTHER) as second,
        gateway(first=first.url, second=second.url) as opened,
    ):
        async with await opened.open_stream("explain", question()) as stream:
            items, error = await pieces_until_broken(stream)
        assert text_of(items) == "The sky"
        assert type(error) is errors.UpstreamFailedError
        assert (len(first.requests), len(second.requests)) == (1, 0)


WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Because."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


@pytest.mark.parametrize("bad", [failing(500), Script([b"{}"], content_type="application/json"), Script(end="reset")])
async def test_a_whole_answer_falls_back_too_and_says_who_gave_it(bad: Script) -> None:
    whole = Script([json.dumps(WHOLE).encode()], content_type="application/json")
    async with (
        wire_server(bad) as first,
        wire_server(whole) as second,
        gateway(first=first.url, second=second.url) as opened,
    ):
        completion = await opened.complete("explain", question())
    assert (completion.content, completion.usage) == ("Because.", Usage(3, 2))
    assert (completion.model, completion.provider, completion.simulated) == ("small", "second", False)
    assert len(first.requests) == 2
    assert "stream" not in second.requests[0].json


async def test_the_breaker_leaves_a_provider_alone_and_tries_it_with_one_request() -> None:
    scripts = [failing(500)] * 3 + [ANSWER]
    async with (
        wire_server(*scripts) as first,
        wire_server(OTHER) as second,
        gateway(first=first.url, second=second.url, failures=3, max_retries=0, open_s=0.3) as opened,
    ):
        for _ in range(3):
            assert text_of(await read(opened)) == "Something else"
        assert len(first.requests) == 3
        assert opened.availability()["big"] is False
        # Open: it is not asked any more, whoever names it is told when to come back.
        for _ in range(3):
            assert text_of(await read(opened)) == "Something else"
        with pytest.raises(errors.CircuitOpenError) as raised:
            await read(opened, model="big")
        assert raised.value.retry_after_s == 1
        assert len(first.requests) == 3
        async with asyncio.timeout(20):
            while opened.breakers["first"].is_open:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert text_of(await read(opened)) == "The sky is blue — 青い."
        assert opened.availability()["big"] is True
        assert len(first.requests) == 4


async def test_answers_that_break_off_open_the_breaker_too() -> None:
    broken = Script([*openai_stream()[:3], 0.02], end="cut")
    async with wire_server(broken) as first, gateway(first=first.url, failures=2) as opened:
        for _ in range(2):
            with pytest.raises(errors.UpstreamFailedError):
                await read(opened, model="big")
        with pytest.raises(errors.CircuitOpenError):
            await read(opened, model="big")


async def test_a_clients_own_mistakes_do_not_open_it() -> None:
    async with wire_server(failing(400)) as first, gateway(first=first.url, failures=1) as opened:
        for _ in range(3):
            with pytest.raises(errors.ProviderBadRequestError):
                await read(opened)
        assert len(first.requests) == 3


async def test_failures_are_logged_without_key_prompt_or_the_providers_words(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with wire_server(failing(401)) as first, gateway(first=first.url) as opened:
        with pytest.raises(errors.ProviderAuthError):
            await read(opened, question("a very private prompt"))
        shown = repr(opened.access) + repr(vars(opened)) + repr(opened.providers)
    # The first alone where nothing has configured the process's logging before.
    logged = "".join(capfd.readouterr()) + caplog.text
    assert "llm_attempt_failed" in logged
    assert "status 401, code some_code" in logged
    for secret in ("hunter2", "private", "Incorrect API key"):
        assert secret not in logged + shown


@pytest.mark.parametrize(
    ("rest", "end", "code", "diagnostic"),
    [
        ([], "cut", "llm_upstream_failed", "RemoteProtocolError"),
        ([b"data: {junk\n\n"], "finish", "llm_upstream_failed", "a piece is not a JSON object"),
        (
            [b'data: {"error": {"message": "hunter2", "code": 503}}\n\n'],
            "finish",
            "llm_upstream_unavailable",
            "status 503",
        ),
        ([], "hang", "llm_timeout", "timeout in phase between_tokens"),
    ],
)
async def test_a_stream_that_breaks_after_its_first_token_is_logged_once_without_its_content(
    rest: list[bytes], end: Any, code: str, diagnostic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = log_lines_of(gateway_module, monkeypatch)
    script = Script([*openai_stream()[:3], *rest], end=end)
    async with (
        wire_server(script) as server,
        gateway(first=server.url, between_s=0.3) as opened,
        await opened.open_stream("explain", question()) as stream,
    ):
        items, error = await pieces_until_broken(stream)
    assert (text_of(items), error.code) == ("The sky", code)
    (line,) = logs
    assert (line["event"], line["level"]) == ("llm_stream_broke", "warning")
    assert (line["provider"], line["model"], line["code"]) == ("first", "big", code)
    assert line["diagnostic"].startswith(diagnostic)
    assert line["llm_request_id"] == question().request_id
    assert not any(word in repr(line) for word in ("sky", "hunter2", question().messages[0].content))
