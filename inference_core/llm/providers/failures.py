"""What a provider's HTTP answer means when it is no answer: one table for every vendor.

Only codes and statuses go into a diagnostic. What a provider writes in words may quote the prompt, or the key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from inference_core.llm import errors

LONGEST_RETRY_AFTER_S = 24 * 3600
OVERLOADED = 529  # Anthropic's own
# Other statuses below 500 refuse the request, and the rest is a failure.
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
TELLS_WHEN = {errors.ProviderRateLimitedError, errors.UpstreamUnavailableError}
TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|context window|prompt is too long|input token count",
    re.IGNORECASE,
)
# A machine-readable word, not a sentence.
CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def http_failure(
    provider: str, status: int, headers: Mapping[str, str], code: object = None, message: object = None
) -> errors.ProviderError:
    """The error for an answer with `status`, from what it says of itself.

    Args:
        code: the provider's own word for what is wrong, if it gives one.
        message: its sentence; only looked at, never passed on.
    """
    word = code if isinstance(code, str) and CODE.fullmatch(code) else "none"
    kind = MEANING.get(status)
    if kind is None and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        too_long = TOO_LONG.search(f"{code} {message}")
        kind = errors.ContextTooLongError if too_long else errors.ProviderBadRequestError
    kind = kind or errors.UpstreamFailedError
    after_s = retry_after(headers) if kind in TELLS_WHEN else None
    error = kind(provider, f"status {status}, code {word}", retry_after_s=after_s)
    error.took_prompt = False
    return error


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> int | None:
    """Whole seconds of a `Retry-After` header, in seconds or as a date; None without a usable one."""
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
