"""Parse and validate the JSON of the chat completions API.

Servers omit different parts, so missing parts are ignored. A part that is present but invalid is a failure, so that no
text is lost without an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from inference_core.llm.errors import UpstreamFailedError
from inference_core.llm.providers.event_stream import Event
from inference_core.llm.providers.failures import details_in, failure_inside
from inference_core.llm.tokens import reported_usage
from inference_core.llm.types import ChatRequest, Reply, Token, Usage

# Parts of a message that belong to the answer. Reasoning, references and images do not.
TEXT_PARTS = {"text", "output_text", None}
KEEP_ALIVES = {"ping", "keepalive", "keep-alive", "heartbeat"}


def as_json(provider: str, text: str | bytes, event: str = "") -> dict[str, Any] | None:
    """Return a JSON object, or None for `null`, which some servers send to keep a connection alive.

    Raises:
        UpstreamFailedError: The text is not a JSON object.
        ProviderError: The object is an error instead of a piece of the answer.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if value is None:
        return None
    if event == "error" or (isinstance(value, dict) and (value.get("error") or value.get("object") == "error")):
        raise failure_inside(provider, details_in(value))
    if not isinstance(value, dict):
        raise UpstreamFailedError(provider, "a piece is not a JSON object")
    return value


class AnswerState:
    """The state of a stream: the text so far, its end and its usage.

    Attributes:
        finished: The answer is complete; usage can still follow.
        done: Nothing more follows.
    """

    def __init__(self, provider: str, request: ChatRequest, *, planned: bool) -> None:
        self.finished = False
        self.done = False
        self._provider = provider
        self._request = request
        self._planned = planned
        self._counts: tuple[object, object] = (None, None)
        self._characters = 0

    def tokens(self, events: list[Event]) -> Iterator[Token]:
        """Yield the text of events, and record their other data."""
        for event in events:
            if event.data.strip() == "[DONE]":
                self.finished = self.done = True
                return
            if not event.data.strip() or event.name in KEEP_ALIVES:
                continue
            chunk = as_json(self._provider, event.data, event.name)
            if chunk is not None and (token := self._token(chunk)) is not None:
                yield token

    def _token(self, chunk: dict[str, Any]) -> Token | None:
        choice = _first(self._provider, chunk.get("choices"))
        self._counts = _counts(chunk, choice) or self._counts
        content = _text(self._provider, choice.get("delta"))
        reason = choice.get("finish_reason")
        if reason == "error":
            raise failure_inside(self._provider, details_in({"error": choice.get("error") or {"code": reason}}))
        self.finished = self.finished or bool(reason)
        if not content:
            return None
        self._characters += len(content)
        planned_ms = chunk.get("planned_ms") if self._planned else None
        return Token(content, planned_ms if isinstance(planned_ms, float | int) else None)

    def usage(self) -> Usage:
        """Return the usage of the answer, as reported or estimated.

        Raises:
            UpstreamFailedError: The stream ended before the answer.
        """
        if not self.finished:
            raise UpstreamFailedError(self._provider, "the stream ended before the answer was complete")
        return reported_usage(self._request.messages, *self._counts, self._characters)


def reply_of(provider: str, request: ChatRequest, body: dict[str, Any] | None) -> Reply:
    """Return a complete answer.

    Raises:
        UpstreamFailedError: The answer has no choice, or a choice of an unknown form.
    """
    choice = _first(provider, body.get("choices") if body else None)
    message = choice.get("message")
    if body is None or not isinstance(message, dict):
        raise UpstreamFailedError(provider, "the answer has no choice")
    if choice.get("finish_reason") == "error":
        raise failure_inside(provider, details_in({"error": choice.get("error") or {"code": "error"}}))
    content = _text(provider, message)
    counts = _counts(body, choice) or (None, None)
    return Reply(content, reported_usage(request.messages, *counts, len(content)))


def _counts(chunk: dict[str, Any], choice: dict[str, Any]) -> tuple[object, object] | None:
    """Return the usage: at the top level, in the choice (Moonshot), or in an extension (Groq)."""
    groq = chunk.get("x_groq")
    places = (chunk.get("usage"), choice.get("usage"), groq.get("usage") if isinstance(groq, dict) else None)
    usage = next((usage for usage in places if isinstance(usage, dict) and usage), None)
    return (usage.get("prompt_tokens"), usage.get("completion_tokens")) if usage else None


def _first(provider: str, choices: object) -> dict[str, Any]:
    """Return the choice, or an empty one for chunks without any, such as the chunk with the usage."""
    if not choices:
        return {}
    if not isinstance(choices, list):
        raise UpstreamFailedError(provider, "the choices have an unknown form")
    choice: object = next((choice for choice in choices if choice is not None), {})
    if not isinstance(choice, dict):
        raise UpstreamFailedError(provider, "the choices have an unknown form")
    return choice


def _text(provider: str, part: object) -> str:
    if part is None:
        return ""
    if not isinstance(part, dict):
        raise UpstreamFailedError(provider, "a choice has an unknown form")
    content = part.get("content") or part.get("refusal") or ""
    if isinstance(content, list):
        return "".join(_part_text(provider, piece) for piece in content)
    if not isinstance(content, str):
        raise UpstreamFailedError(provider, "the content is not text")
    return content


def _part_text(provider: str, piece: object) -> str:
    if isinstance(piece, dict):
        if piece.get("type") not in TEXT_PARTS:
            return ""
        piece = piece.get("text")
    if piece is None:
        return ""
    if not isinstance(piece, str):
        raise UpstreamFailedError(provider, "the content is not text")
    return piece
