"""A provider that sends anything, such as reasoning, is not timed out; in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inference_core.llm.config.schema import Timeouts
from inference_core.llm.errors import ProviderTimeoutError
from tests.service.llm.providers.in_process import Reading, answering, provider_of, read
from tests.service.llm.providers.wires import openai_chunk, openai_piece, openai_stream
from tests.support.virtual_time import run_in_virtual_time

SIGNS = {
    "comments": b": PROCESSING\n\n",
    "half an event": b": ",
    "reasoning_content": openai_chunk(choices=[{"index": 0, "delta": {"reasoning_content": "hm"}}]),
    "reasoning": openai_chunk(choices=[{"index": 0, "delta": {"reasoning": "hm", "content": ""}}]),
    "thinking": openai_chunk(choices=[{"index": 0, "delta": {"thinking": "hm"}}]),
    "empty pieces": openai_piece(""),
    "empty choices": openai_chunk(choices=[]),
}
TIMEOUTS = Timeouts(first_token_s=30, between_tokens_s=20, total_s=600)
each_sign = pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)


def read_in_virtual_time(pieces: list[bytes | float]) -> tuple[Reading, float]:
    """What came, and after how many seconds it ended."""

    async def main(clock: Callable[[], float]) -> tuple[Reading, float]:
        provider = provider_of(answering(pieces))
        began = clock()
        return await read(provider, TIMEOUTS), clock() - began

    return run_in_virtual_time(main)


@each_sign
def test_it_is_waited_for_before_the_first_token_and_between_two(sign: bytes) -> None:
    opening, first, *rest = openai_stream()
    thinking: list[bytes | float] = [sign, 19.0] * 10
    end = b"\n\n" if sign == b": " else b""
    reading, _ = read_in_virtual_time([*thinking, end, opening, first, *thinking, end, *rest])
    assert reading.text == "The sky is blue — 青い."
    assert reading.failures == 0


@each_sign
def test_signs_without_end_are_bounded_by_the_total(sign: bytes) -> None:
    reading, took_s = read_in_virtual_time([sign, 19.0] * 100)
    assert isinstance(reading.error, ProviderTimeoutError)
    assert (reading.error.phase, took_s, reading.failures) == ("total", pytest.approx(600), 0)


@each_sign
def test_silence_after_a_sign_has_its_limit(sign: bytes) -> None:
    reading, took_s = read_in_virtual_time([sign, 19.0, sign, 100.0])
    assert isinstance(reading.error, ProviderTimeoutError)
    assert (reading.error.phase, took_s, reading.failures) == ("first_token", pytest.approx(49), 1)


@pytest.mark.parametrize("wait_s", [19.0, 21.0])
def test_what_is_between_two_tokens_has_the_limit_of_tokens(wait_s: float) -> None:
    opening, first, *rest = openai_stream()
    reading, _ = read_in_virtual_time([opening, first, SIGNS["thinking"], wait_s, *rest])
    assert (reading.error is None) == (wait_s < 20)
