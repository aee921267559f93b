"""Convert failures of providers to errors, with one table for all vendors.

Diagnostics contain only codes and statuses, because texts of a provider can contain the prompt or the key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from inference_core.llm import errors

LONGEST_RETRY_AFTER_S = 24 * 3600
OVERLOADED = 529  # Anthropic's own
# Other statuses below 500 refuse the request. All others are failures.
MEANING: dict[int, type[errors.ProviderError]] = {
    HTTPStatus.UNAUTHORIZED: errors.ProviderAuthError,
    HTTPStatus.FORBIDDEN: errors.ProviderAuthError,
    HTTPStatus.NOT_FOUND: errors.ProviderModelNotFoundError,
    HTTPStatus.REQUEST_TIMEOUT: errors.UpstreamFailedError,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: errors.ContextTooLongError,
    HTTPStatus.TOO_MANY_REQUESTS: errors.ProviderRateLimitedError,
    HTTPStatus.SERVICE_UNAVAILABLE: errors.UpstreamUnavailableError,
    OVERLOADED: errors.UpstreamUnavailableError,
}
WITH_RETRY_AFTER = {errors.ProviderRateLimitedError, errors.UpstreamUnavailableError}
# These statuses mean a limit of the account, for any text.
NEVER_TOO_LONG = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
# Texts of servers if the prompt and the longest answer do not fit. The tests contain the complete sentences.
TOO_LONG_PHRASES = (
    r"maximum context length",  # OpenAI, Azure, DeepSeek, vLLM, OpenRouter, LiteLLM, Mistral
    r"context window",  # OpenAI, llama-cpp-python, MiniMax
    r"ContextWindowExceeded",  # LiteLLM
    r"reduce the length of (?:the (?:input|messages)|either)",  # OpenAI, Groq, vLLM, OpenRouter
    r"exceeds? the available context size",  # llama.cpp
    r"context size has been exceeded",  # llama.cpp, LM Studio
    r"when context the overflows|(?:greater|longer) than the (?:model's )?context length",  # LM Studio, SGLang
    r"(?:exceeds?|exceeded) (?:the |max )*context (?:length|limit)",  # Ollama, Anthropic
    r"context limit is \d+",  # gateways
    r"exceeds the maximum allowed (?:input )?length",  # SGLang, OpenRouter
    r"`inputs` tokens \+ `max_new_tokens` must be|`inputs` must have less than \d+ tokens",  # TGI
    r"prompt (?:is )?too long",  # Anthropic, Ollama
    r"input token count",  # Gemini
    r"maximum prompt length is \d+",  # xAI
    r"exceeded model token limit",  # Moonshot
    r"input is too long for requested model",  # Bedrock
    r"range of input length should be",  # DashScope
    r"total number of tokens in the prompt",  # Cohere
)
TOO_LONG = re.compile("|".join(TOO_LONG_PHRASES), re.IGNORECASE)
# Machine-readable codes have the same meaning with any status. llama.cpp also sends them with 500.
TOO_LONG_CODE = re.compile(
    r"context_length_exceeded|exceed_context_size_error|model_context_window_exceeded|context size has been exceeded",
    re.IGNORECASE,
)
# A machine-readable code, not a sentence.
CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# An error within a stream can have no status. Its code determines the equivalent status.
STATUS_OF_CODE: dict[object, int] = {
    "invalid_request_error": HTTPStatus.BAD_REQUEST,
    "BadRequestError": HTTPStatus.BAD_REQUEST,
    "authentication_error": HTTPStatus.UNAUTHORIZED,
    "permission_error": HTTPStatus.FORBIDDEN,
    "not_found_error": HTTPStatus.NOT_FOUND,
    "request_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "rate_limit_error": HTTPStatus.TOO_MANY_REQUESTS,
    "rate_limit_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "overloaded_error": OVERLOADED,
}
# Codes of general refusals, which can have any cause.
VAGUE_CODES = {None, "invalid_request_error", "BadRequestError", "extra_forbidden", "validation_error", "bad_request"}


@dataclass(frozen=True, slots=True)
class FailureDetails:
    """A provider's description of a failure.

    Attributes:
        code: The provider's code of the error, if any.
        message: The provider's text. It is analysed, but never passed on.
        parameter: The refused part of the request.
        status: The equivalent HTTP status of a failure within a response.
    """

    code: object = None
    message: object = None
    parameter: object = None
    status: int | None = None

    def may_be_about(self, parameter: str) -> bool:
        """Return whether a refusal names this part of the request, or no part."""
        if parameter in f"{self.parameter} {self.message}":
            return True
        return self.parameter is None and (self.code in VAGUE_CODES if isinstance(self.code, str | None) else False)


def details_in(body: object) -> FailureDetails:
    """Return the error in the JSON of a response, in any of the known forms."""
    if isinstance(body, list) and body:
        body = body[0]  # Gemini's compatible endpoint puts it into a list
    if not isinstance(body, dict):
        return FailureDetails(message=body)
    error = body.get("error") or body  # Mistral and older vLLM have no envelope
    if not isinstance(error, dict):  # Ollama, TGI, LM Studio and xAI give a sentence
        return FailureDetails(body.get("error_type") or body.get("code"), error)
    detail = error.get("detail") or error.get("message")
    if isinstance(detail, dict):  # Mistral
        detail = detail.get("detail") or detail
    code = error.get("code")
    status = _status(code) or _status(error.get("status"))
    words = (code if not _status(code) else None, error.get("type"), error.get("status"))
    word = next((word for word in words if isinstance(word, str) and word), None)
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):  # FastAPI
        first = detail[0]
        place = first.get("loc")
        parameter = ".".join(map(str, place[1:])) if isinstance(place, list | tuple) else None
        return FailureDetails(word or first.get("type"), first.get("msg"), parameter, status)
    return FailureDetails(word, detail, error.get("param"), status)


def _status(value: object) -> int | None:
    """Return the HTTP status of a failure: 400, or "400" from LiteLLM."""
    text = str(value)
    return int(text) if re.fullmatch(r"[45]\d\d", text) else None


def http_failure(
    provider: str, status: int, headers: Mapping[str, str], code: object = None, message: object = None
) -> errors.ProviderError:
    """Return the error for a response with `status`. `code` and `message` are those of `FailureDetails`."""
    return failure(provider, status, headers, FailureDetails(code, message))


def failure(provider: str, status: int, headers: Mapping[str, str], details: FailureDetails) -> errors.ProviderError:
    """Return the error for a response with `status`, from its content."""
    kind = _kind(status, details)
    after_s = retry_after(headers) if kind in WITH_RETRY_AFTER else None
    parameter = f", parameter {details.parameter}" if _is_word(details.parameter) else ""
    word = details.code if _is_word(details.code) else "none"
    error = kind(provider, f"status {status}, code {word}{parameter}", retry_after_s=after_s)
    error.took_prompt = False
    return error


def failure_inside(provider: str, details: FailureDetails) -> errors.ProviderError:
    """Return the error for a failure within a response with the status 200."""
    status = details.status
    if status is None and isinstance(details.code, str):
        status = STATUS_OF_CODE.get(details.code)
    if status is None:
        too_long = TOO_LONG.search(str(details.message))
        status = HTTPStatus.BAD_REQUEST if too_long else HTTPStatus.INTERNAL_SERVER_ERROR
    error = failure(provider, status, {}, details)
    error.took_prompt = type(error).took_prompt
    return error


def _kind(status: int, details: FailureDetails) -> type[errors.ProviderError]:
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    text = f"{details.code} {details.message}"
    if status not in NEVER_TOO_LONG and (TOO_LONG_CODE.search(text) or (refused and TOO_LONG.search(text))):
        return errors.ContextTooLongError
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and details.code == "rate_limit_exceeded":  # Groq
        return errors.ProviderRateLimitedError
    return MEANING.get(status) or (errors.ProviderBadRequestError if refused else errors.UpstreamFailedError)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and CODE.fullmatch(value) is not None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> int | None:
    """Return the seconds of a `Retry-After` header, given in seconds or as a date. None if it is missing or invalid."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - (now or datetime.now(UTC))).total_seconds()
        except (TypeError, ValueError):
            return None
    if math.isnan(seconds):
        return None
    return math.ceil(min(max(seconds, 1), LONGEST_RETRY_AFTER_S))
