"""The errors for responses of providers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inference_core.llm import errors
from inference_core.llm.providers.failures import details_in, failure, failure_inside, http_failure, retry_after
from tests.service.llm.providers.server_shapes import NO_OVERFLOWS, OVERFLOWS, Overflow

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("-5", 1),
        ("1.2", 2),
        ("1e9", 86400),
        ("inf", 86400),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 1),
        ("Thu, 01 Jan 2026 12:00:30", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(text: str, seconds: int | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_without_the_header_the_errors_own_wait_counts() -> None:
    assert retry_after({}) is None
    assert http_failure("p", 429, {}).retry_after_s == 5
    assert http_failure("p", 503, {}).retryable


@pytest.mark.parametrize("code", ["sk-hunter2 was refused", "x" * 65, 5, None, {"a": 1}, "line\nbreak"])
def test_only_a_word_gets_into_the_diagnostic(code: object) -> None:
    assert http_failure("p", 401, {}, code, "You said: secret").diagnostic == "status 401, code none"


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
        "input exceeds the context window",
    ],
)
def test_servers_say_in_their_own_words_that_a_prompt_is_too_long(message: str) -> None:
    assert type(http_failure("p", 400, {}, "invalid_request_error", message)) is errors.ContextTooLongError


@pytest.mark.parametrize("overflow", OVERFLOWS, ids=lambda overflow: overflow.server)
def test_each_known_server_is_understood_when_a_prompt_does_not_fit(overflow: Overflow) -> None:
    assert type(failure("p", overflow.status, {}, details_in(overflow.body))) is errors.ContextTooLongError


@pytest.mark.parametrize("overflow", OVERFLOWS, ids=lambda overflow: overflow.server)
def test_it_is_understood_inside_a_stream_too(overflow: Overflow) -> None:
    assert type(failure_inside("p", details_in(overflow.body))) is errors.ContextTooLongError


@pytest.mark.parametrize("refusal", NO_OVERFLOWS, ids=lambda refusal: refusal.server)
def test_refusals_that_sound_alike_are_not_taken_for_it(refusal: Overflow) -> None:
    assert type(failure("p", refusal.status, {}, details_in(refusal.body))) is not errors.ContextTooLongError


@pytest.mark.parametrize("body", [None, 5, "", [], [5], {}, {"error": None}, {"error": []}, {"error": {"code": []}}])
def test_the_details_of_a_failure_can_be_missing(body: object) -> None:
    assert failure("p", 400, {}, details_in(body)).diagnostic == "status 400, code none"


def test_such_words_mean_nothing_with_another_status() -> None:
    message = "maximum context length"
    assert type(http_failure("p", 401, {}, None, message)) is errors.ProviderAuthError
    assert type(http_failure("p", 429, {}, None, message)) is errors.ProviderRateLimitedError
    assert type(http_failure("p", 500, {}, None, message)) is errors.UpstreamFailedError


@pytest.mark.parametrize("status", [100, 204, 301, 307, 408, 500, 504, 599])
def test_whatever_is_neither_an_answer_nor_a_refusal_is_a_failure(status: int) -> None:
    assert type(http_failure("p", status, {})) is errors.UpstreamFailedError
