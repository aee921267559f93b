"""The timeout of each phase of a call, and cancellation at any time."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest

from inference_core.llm import errors
from tests.service.llm.gateway.support import OTHER, gateway, pieces_until_broken, question, read, text_of
from tests.service.llm.providers.in_process import answering, reaching
from tests.service.llm.providers.wires import openai_piece, openai_stream
from tests.support.virtual_time import run_in_virtual_time
from tests.support.wire_server import Script, WireServer, wire_server

pytestmark = pytest.mark.anyio

HANGS = Script(end="hang")


@contextmanager
def unanswering_port() -> Iterator[str]:
    """A port on which connections are never taken: its queue is full, and the system drops what comes."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for client in waiting:
            client.close()


async def test_connecting_is_bounded() -> None:
    with unanswering_port() as url:
        async with gateway(first=url, connect_s=0.2) as opened:
            with pytest.raises(errors.ProviderTimeoutError) as raised:
                await read(opened, model="big")
    assert raised.value.phase == "connect"
    assert raised.value.counts


async def test_a_provider_that_cannot_be_connected_to_in_time_goes_to_the_fallback() -> None:
    with unanswering_port() as url:
        async with wire_server(OTHER) as second, gateway(first=url, second=second.url, connect_s=0.2) as opened:
            assert text_of(await read(opened)) == "Something else"


async def test_the_first_token_is_bounded_and_then_the_fallback_asked() -> None:
    async with (
        wire_server(HANGS) as first,
        wire_server(OTHER) as second,
        gateway(first=first.url, second=second.url, first_token_s=0.2) as opened,
    ):
        assert text_of(await read(opened)) == "Something else"
        with pytest.raises(errors.ProviderTimeoutError) as raised:
            await read(opened, model="big")
        assert raised.value.phase == "first_token"
        # Waiting a second time would double the wait; there is no retry.
        assert len(first.requests) == 2
        await closed(first)


async def test_silence_between_tokens_is_bounded() -> None:
    stalls = Script([*openai_stream()[:3]], end="hang")
    async with wire_server(stalls) as first, gateway(first=first.url, between_s=0.2) as opened:
        with pytest.raises(errors.ProviderTimeoutError) as raised:
            await read(opened)
        assert raised.value.phase == "between_tokens"
        await closed(first)


async def test_a_model_may_have_more_time_than_others_and_so_may_a_task() -> None:
    answer = json.dumps({"choices": [{"message": {"content": "whole"}}]}).encode()
    scripts = (Script([0.5, *openai_stream()]), Script([0.5, answer], content_type="application/json"))
    short = {"first_token_s": 0.1, "total_s": 0.2}
    for given in (
        {"big_timeouts": "{first_token_s: 9, total_s: 9}"},
        {"task_timeouts": "{first_token_s: 9, total_s: 9}"},
    ):
        async with wire_server(*scripts) as first, gateway(first=first.url, **short, **given) as opened:
            assert text_of(await read(opened, model="big")) == "The sky is blue — 青い."
            assert (await opened.complete("explain", question(timeout_s=8))).content == "whole"


async def test_the_timeouts_of_a_model_win_over_those_of_its_task() -> None:
    given = {"task_timeouts": "{first_token_s: 9, total_s: 9}", "big_timeouts": "{first_token_s: 0.1}"}
    async with wire_server(HANGS) as first, gateway(first=first.url, **given) as opened:
        with pytest.raises(errors.ProviderTimeoutError) as raised:
            await read(opened, model="big")
        assert raised.value.phase == "first_token"
        assert opened.config.longest_total_s == 60


async def test_each_attempt_has_the_total_of_its_own_model() -> None:
    """The slow model's time is not the fast one's, and the fast one's does not end the slow one."""
    async with (
        wire_server(HANGS) as first,
        wire_server(Script([0.5, *OTHER.pieces])) as second,
        gateway(first=first.url, second=second.url, total_s=9, big_timeouts="{total_s: 0.2}") as opened,
    ):
        assert text_of(await read(opened)) == "Something else"


async def test_a_slow_drip_is_bounded_by_the_total() -> None:
    drip = Script([piece for _ in range(1000) for piece in (openai_piece("x"), 0.05)])
    async with wire_server(drip) as first, gateway(first=first.url, total_s=0.4) as opened:
        async with await opened.open_stream("explain", question()) as stream:
            items, error = await pieces_until_broken(stream)
        assert isinstance(error, errors.ProviderTimeoutError)
        assert error.phase == "total"
        assert 1 <= len(items) <= 9
        await closed(first)


@pytest.mark.parametrize(("asked_s", "limit_s"), [(0.1, 0.1), (500, 1.5)])
def test_a_request_can_shorten_the_total_but_not_lengthen_it(asked_s: float, limit_s: float) -> None:
    """In virtual time. When the total is over, no fallback is begun."""
    called: list[str] = []

    def hang(request: httpx2.Request) -> httpx2.Response:
        called.append(request.url.path)
        return answering([10_000.0])(request)

    async def main(clock: Callable[[], float]) -> None:
        async with gateway(total_s=1.5) as opened:
            with pytest.raises(errors.ProviderTimeoutError) as raised:
                await read(opened, question(timeout_s=asked_s))
            assert (raised.value.phase, clock()) == ("total", pytest.approx(limit_s))

    with reaching(hang, "openai_compatible"):
        run_in_virtual_time(main)
    assert called == ["/v1/chat/completions"]


async def test_whole_answers_are_bounded_by_the_total() -> None:
    async with wire_server(HANGS) as first, gateway(first=first.url, total_s=0.3) as opened:
        with pytest.raises(errors.ProviderTimeoutError) as raised:
            await opened.complete("explain", question())
        assert raised.value.phase == "total"
        await closed(first)


async def test_impatient_or_slow_clients_do_not_open_the_breaker() -> None:
    """Who asks for an answer in no time, or reads for longer than the total, says nothing about the provider."""
    slowly = Script([*openai_stream()[:4]], end="hang")
    async with (
        wire_server(HANGS, HANGS, slowly) as first,
        gateway(first=first.url, failures=1, total_s=1.0) as opened,
    ):
        with pytest.raises(errors.ProviderTimeoutError):
            await read(opened, question(timeout_s=0.1))
        with pytest.raises(errors.ProviderTimeoutError):
            await opened.complete("explain", question(timeout_s=0.1))
        async with await opened.open_stream("explain", question()) as stream:
            _, error = await pieces_until_broken(stream)
        assert isinstance(error, errors.ProviderTimeoutError)
        assert error.phase == "total"
        assert not opened.breakers["first"].is_open


async def test_a_provider_that_never_finishes_a_whole_answer_opens_the_breaker() -> None:
    async with wire_server(HANGS) as first, gateway(first=first.url, failures=1, total_s=0.3) as opened:
        with pytest.raises(errors.ProviderTimeoutError):
            await opened.complete("explain", question())
        assert opened.breakers["first"].is_open


async def test_leaving_during_the_wait_for_the_first_token_ends_the_upstream_call() -> None:
    async with wire_server(HANGS) as first, gateway(first=first.url) as opened:
        waiting = asyncio.ensure_future(opened.open_stream("explain", question()))
        async with asyncio.timeout(20):
            while not first.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        waiting.cancel()
        assert await closed(first) < 1
        assert waiting.cancelled()


async def test_leaving_says_nothing_about_the_provider() -> None:
    """A trial call of a half-open breaker that its client gave up must not block the next one."""
    async with wire_server(HANGS) as first, gateway(first=first.url, failures=1, open_s=0.05) as opened:
        breaker = opened.breakers["first"]
        breaker.failed()
        for expected in (1, 2):
            async with asyncio.timeout(20):
                while breaker.is_open:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            trial = asyncio.ensure_future(opened.open_stream("explain", question(), "big"))
            async with asyncio.timeout(20):
                while len(first.requests) < expected:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            assert breaker.is_open
            with pytest.raises(errors.CircuitOpenError):
                await opened.open_stream("explain", question(), "big")
            trial.cancel()
            await asyncio.wait({trial})


async def closed(server: WireServer) -> float:
    """Seconds until nobody is connected any more."""
    began = time.monotonic()
    async with asyncio.timeout(20):
        while server.open:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return time.monotonic() - began
