"""The simulator under load: concurrency, queue, slowdown, planned times, cancellation and faults."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from inference_core.llm import errors
from inference_core.llm.providers.simulated import SimulatedProvider
from inference_core.llm.simulator.engine import Engine, SimulatorOptions
from inference_core.llm.simulator.faults import KINDS, BadFaultError, Fault, draw_fault, parse_fault, parse_rates
from inference_core.llm.simulator.plan import make_plan
from inference_core.llm.simulator.speeds import SPEEDS
from inference_core.llm.types import ChatRequest, Message, ModelCall, SamplingParams, StreamItem, Token, Usage
from tests.support.virtual_time import run_in_virtual_time

CALL = ModelCall("model", "model")
Clock = Callable[[], float]


def question(text: str = "why?", fault: str | None = None, **params: Any) -> ChatRequest:
    return ChatRequest((Message("user", text),), SamplingParams(**params), fault=fault)


def provider(clock: Clock, **options: Any) -> SimulatedProvider:
    return SimulatedProvider(Engine(SimulatorOptions(**({"speed": "8b-h100"} | options)), clock))


async def read(source: SimulatedProvider, request: ChatRequest, call: ModelCall = CALL) -> list[StreamItem]:
    return [item async for item in source.stream(request, call)]


def served(request: ChatRequest, call: ModelCall = CALL, **options: Any) -> list[StreamItem]:
    return run_in_virtual_time(lambda clock: read(provider(clock, **options), request, call))


def test_same_seed_same_stream_another_seed_another() -> None:
    first = served(question(), seed=1)
    assert first == served(question(), seed=1)
    assert first != served(question(), seed=2)
    assert first != served(question("why not?"), seed=1)
    assert first != served(question(temperature=0.5), seed=1)


def test_the_id_of_a_request_changes_nothing() -> None:
    messages = question().messages
    assert served(ChatRequest(messages, request_id="a")) == served(ChatRequest(messages, request_id="b"))


def test_tokens_then_usage_that_counts_them() -> None:
    *tokens, usage = served(question("x" * 41))
    assert all(isinstance(token, Token) and token.content for token in tokens)
    assert usage == Usage(input_tokens=11, output_tokens=len(tokens))


def test_max_tokens_cuts_the_answer() -> None:
    *tokens, usage = served(question(max_tokens=3))
    assert [token.content for token in tokens if isinstance(token, Token)] == ["This", " is", " a"]
    assert usage == Usage(1, 3)
    assert make_plan(0, question(max_tokens=3), "model", SPEEDS["fast"]).finish_reason == "length"
    assert make_plan(0, question(max_tokens=5000), "model", SPEEDS["fast"]).finish_reason == "stop"


def test_the_whole_answer_is_the_stream_in_one() -> None:
    async def main(clock: Clock) -> None:
        source = provider(clock)
        reply = await source.complete(question(), CALL)
        items = await read(source, question())
        assert reply.content == "".join(item.content for item in items if isinstance(item, Token))
        assert reply.usage == items[-1]

    run_in_virtual_time(main)


def test_the_planned_time_is_the_time_it_is_served_at() -> None:
    async def main(clock: Clock) -> None:
        began = clock()
        async for item in provider(clock).stream(question(), CALL):
            if isinstance(item, Token):
                assert item.planned_ms == pytest.approx(1000 * (clock() - began))

    run_in_virtual_time(main)


def test_the_delays_of_a_reader_do_not_add_up() -> None:
    """Deadlines are absolute: a reader who is 5 ms late after every token still gets the last one when it was due."""

    async def main(clock: Clock) -> None:
        began = clock()
        last = Token("", 0.0)
        async for item in provider(clock).stream(question(), CALL):
            if isinstance(item, Token):
                last, came_ms = item, 1000 * (clock() - began)
                await asyncio.sleep(0.005)
        assert last.planned_ms is not None
        assert came_ms - last.planned_ms == pytest.approx(0, abs=5)

    run_in_virtual_time(main)


def test_a_full_machine_is_slower_by_the_load_factor() -> None:
    async def main(clock: Clock) -> None:
        source = provider(clock, max_num_seqs=3, load_factor=1.0, seed=3)
        alone = await read(source, question())
        others = [asyncio.create_task(read(source, question(f"other {number}"))) for number in range(2)]
        await asyncio.sleep(0.001)
        assert source.engine.running == 2
        crowded = await read(source, question())
        await asyncio.gather(*others)
        for one, other in zip(alone[:-1], crowded[:-1], strict=True):
            assert isinstance(one, Token)
            assert isinstance(other, Token)
            assert one.planned_ms is not None
            assert other.planned_ms == pytest.approx(2 * one.planned_ms)

    run_in_virtual_time(main)


def test_beyond_its_places_requests_wait_in_order_and_then_are_refused() -> None:
    async def main(clock: Clock) -> None:
        source = provider(clock, max_num_seqs=1, max_queued=2)
        began = clock()
        ends: list[tuple[int, float]] = []

        async def one(number: int) -> list[StreamItem]:
            items = await read(source, question(f"question {number}"))
            ends.append((number, 1000 * (clock() - began)))
            return items

        tasks = [asyncio.create_task(one(number)) for number in range(3)]
        await asyncio.sleep(0.001)
        assert (source.engine.running, source.engine.queued) == (1, 2)
        with pytest.raises(errors.ProviderRateLimitedError) as raised:
            await read(source, question("one too many"))
        assert raised.value.retry_after_s == 1
        answers = await asyncio.gather(*tasks)
        assert [number for number, _ in ends] == [0, 1, 2]
        # The plan of who waited begins when the one before was done.
        first = answers[1][0]
        assert isinstance(first, Token)
        assert first.planned_ms is not None
        assert first.planned_ms > ends[0][1]
        assert (source.engine.running, source.engine.queued) == (0, 0)

    run_in_virtual_time(main)


def test_who_leaves_frees_the_place_at_once_and_who_waits_the_queue() -> None:
    async def main(clock: Clock) -> None:
        source = provider(clock, max_num_seqs=1)
        stream = source.stream(question(), CALL)
        await anext(stream)
        waiting = asyncio.create_task(read(source, question("next")))
        await asyncio.sleep(0)
        assert (source.engine.running, source.engine.queued) == (1, 1)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert (source.engine.running, source.engine.queued) == (1, 0)
        await stream.aclose()
        assert source.engine.running == 0
        assert await read(source, question("after all"))

    run_in_virtual_time(main)


def test_a_prompt_that_leaves_no_room_is_too_long() -> None:
    with pytest.raises(errors.ContextTooLongError):
        served(question("x" * 400, max_tokens=20), ModelCall("m", "m", context_tokens=119))
    *tokens, _ = served(question("x" * 400), ModelCall("m", "m", context_tokens=104))
    assert len(tokens) == 4


REFUSED = {
    "connect_refused": errors.UpstreamUnavailableError,
    "unavailable:9": errors.UpstreamUnavailableError,
    "rate_limited:7": errors.ProviderRateLimitedError,
    "auth_failed": errors.ProviderAuthError,
    "context_too_long": errors.ContextTooLongError,
    "model_not_found": errors.ProviderModelNotFoundError,
    "server_error": errors.UpstreamFailedError,
}


@pytest.mark.parametrize(("fault", "kind"), REFUSED.items())
def test_a_fault_that_is_asked_for_comes_before_the_first_token(fault: str, kind: type[errors.ProviderError]) -> None:
    with pytest.raises(kind) as raised:
        served(question(fault=fault))
    assert type(raised.value) is kind
    if ":" in fault:
        assert raised.value.retry_after_s == int(fault.partition(":")[2])


@pytest.mark.parametrize(("fault", "before"), [("reset", 3), ("malformed:2", 2), ("reset:3000", 10)])
def test_an_answer_breaks_off_in_the_middle_or_at_its_end(fault: str, before: int) -> None:
    async def main(clock: Clock) -> None:
        stream = provider(clock).stream(question(max_tokens=10, fault=fault), CALL)
        items = [await anext(stream) for _ in range(before)]
        assert all(isinstance(item, Token) for item in items)
        with pytest.raises(errors.UpstreamFailedError):
            await anext(stream)

    run_in_virtual_time(main)


@pytest.mark.parametrize(
    ("fault", "late_ms"),
    [
        ("slow_first_token:30", [30000] * 5),
        ("stall:2", [0, 0, 0, 2000, 2000]),
        ("slow_drip:1", [0, 1000, 2000, 3000, 4000]),
    ],
)
def test_slowness_that_is_asked_for_is_planned(fault: str, late_ms: list[float]) -> None:
    plain, slow = served(question(max_tokens=5)), served(question(max_tokens=5, fault=fault))
    differences = [
        other.planned_ms - one.planned_ms
        for one, other in zip(plain, slow, strict=True)
        if isinstance(one, Token) and isinstance(other, Token) and one.planned_ms and other.planned_ms
    ]
    assert differences == pytest.approx(late_ms)


def test_faults_are_ignored_where_they_are_not_honoured() -> None:
    assert served(question(fault="reset"), honour_faults=False) == served(question())


def test_an_unknown_fault_is_a_bad_request_that_says_which_there_are() -> None:
    with pytest.raises(errors.ProviderBadRequestError, match="there is no fault 'explode'; known: connect_refused, "):
        served(question(fault="explode"))


def test_faults_come_as_often_as_their_rates_say_and_reproducibly() -> None:
    rates = parse_rates("rate_limited=0.1, reset=0.05")
    rng = random.Random(5)
    kinds = Counter(fault.kind if fault else None for fault in (draw_fault(rng, rates) for _ in range(10_000)))
    # Three standard deviations of a binomial count.
    assert kinds["rate_limited"] == pytest.approx(1000, abs=90)
    assert kinds["reset"] == pytest.approx(500, abs=66)
    assert set(kinds) == {"rate_limited", "reset", None}

    async def outcomes(clock: Clock) -> list[str]:
        source = provider(clock, seed=9, fault_rates=rates)
        found = []
        for number in range(50):
            try:
                await read(source, question(str(number), max_tokens=5))
                found.append("ok")
            except errors.ProviderError as error:
                found.append(error.code)
        return found

    first = run_in_virtual_time(outcomes)
    assert first == run_in_virtual_time(outcomes)
    assert len(set(first)) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("explode=0.1", "there is no fault 'explode'"),
        ("reset", "'reset' is not fault=share"),
        ("reset=often", "'reset=often' is not fault=share"),
        ("reset=1.5", "the share of reset must be between 0 and 1"),
        ("reset=0.7,stall=0.7", "is above 1"),
    ],
)
def test_bad_rates_are_named(text: str, expected: str) -> None:
    with pytest.raises(BadFaultError, match=expected):
        parse_rates(text)


@pytest.mark.parametrize("text", ["reset:x", "reset:-1", "reset:nan", "stall:4000", "auth_failed:1"])
def test_bad_numbers_are_named(text: str) -> None:
    with pytest.raises(BadFaultError, match=f"'{text.partition(':')[2]}' is not a number from 0"):
        parse_fault(text)


def test_every_kind_can_be_asked_for() -> None:
    assert [parse_fault(kind).kind for kind in KINDS] == list(KINDS)
    assert parse_fault(" stall:2.5 ") == Fault("stall", 2.5)
