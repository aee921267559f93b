"""What a failed response says about its failure."""

from __future__ import annotations

import json
from typing import Any

from loadgate.credentials import without_credentials
from loadgate.recorder.request import without_surrogates

MAX_DETAIL_BYTES = 200
MAX_BODY_BYTES = 64 * 1024
"""A longer body is not parsed."""

KEYS = ("detail", "message", "error")
"""The keys of a JSON object that contain its message: `detail` is that of RFC 9457."""


def problem_detail(response: Any) -> str:
    """Return the message in the JSON body of a response as one line of at most MAX_DETAIL_BYTES. "" without one.

    Other content is never returned, because it can contain a secret, such as the token of a login that the suite
    rejects.
    """
    body = _body_read(response)
    if body is None or len(body) > MAX_BODY_BYTES:
        return ""
    try:
        message = _message(json.loads(body))
    except (ValueError, RecursionError):
        return ""
    line = without_credentials(without_surrogates(" ".join(message.split())))
    return line.encode()[:MAX_DETAIL_BYTES].decode(errors="ignore")


def _body_read(response: Any) -> bytes | None:
    """Return the body, if the user class has read it completely. To read it here could block."""
    # The attributes of responses to FastHttpUser and to HttpUser.
    bodies = (getattr(response, name, None) for name in ("_cached_content", "_content"))
    return next((body for body in bodies if isinstance(body, bytes)), None)


def _message(data: Any) -> str:
    values = [data[key] for key in KEYS if key in data] if isinstance(data, dict) else []
    texts = [value.get("message") if isinstance(value, dict) else value for value in values]
    return next((text for text in texts if isinstance(text, str)), "")
