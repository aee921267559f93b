"""Reads the JSON of the chat completions API and believes none of it."""

from __future__ import annotations

import json
from typing import Any

from inference_core.llm.errors import UpstreamFailedError
from inference_core.llm.simulator.plan import count_input_tokens, count_tokens
from inference_core.llm.types import ChatRequest, Reply, Token, Usage


def as_json(provider: str, text: str | bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UpstreamFailedError: it is none, or it is an error in place of a piece of the answer.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UpstreamFailedError(provider, "a piece that is no JSON object")
    if value.get("error"):
        raise UpstreamFailedError(provider, "an error in place of a piece")
    return value


class Tally:
    """Follows a stream: what was said so far, whether it came to its end, what it used."""

    def __init__(self, provider: str, request: ChatRequest, *, planned: bool) -> None:
        self.finished = False
        self._provider = provider
        self._request = request
        self._planned = planned
        self._usage: Usage | None = None
        self._characters = 0

    def token(self, chunk: dict[str, Any]) -> Token | None:
        """The text in a chunk, if there is any; the rest of the chunk is noted."""
        self._usage = usage_in(chunk) or self._usage
        choice = _first(self._provider, chunk.get("choices"))
        if choice is None:
            return None
        if choice.get("finish_reason"):
            self.finished = True
        content = _text(self._provider, choice.get("delta"))
        if not content:
            return None
        self._characters += len(content)
        planned_ms = chunk.get("planned_ms") if self._planned else None
        return Token(content, planned_ms if isinstance(planned_ms, float | int) else None)

    def usage(self) -> Usage:
        """What the answer used, as the server said, else estimated.

        Raises:
            UpstreamFailedError: the stream ended before the answer did.
        """
        if not self.finished:
            raise UpstreamFailedError(self._provider, "a stream that ended too early")
        return self._usage or estimated(self._request, self._characters)


def reply_of(provider: str, request: ChatRequest, body: dict[str, Any]) -> Reply:
    """A whole answer.

    Raises:
        UpstreamFailedError: it has no text.
    """
    choice = _first(provider, body.get("choices"))
    if choice is None:
        raise UpstreamFailedError(provider, "an answer without a choice")
    content = _text(provider, choice.get("message"))
    return Reply(content, usage_in(body) or estimated(request, len(content)))


def usage_in(chunk: dict[str, Any]) -> Usage | None:
    """The usage that a chunk or an answer carries, if it is sound."""
    usage = chunk.get("usage")
    if not isinstance(usage, dict):
        return None
    counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    if not all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts):
        return None
    return Usage(*counts)  # type: ignore[arg-type]  # looked at above


def estimated(request: ChatRequest, characters: int) -> Usage:
    """Roughly: four characters a token."""
    return Usage(count_input_tokens(request.messages), count_tokens("x" * characters), estimated=True)


def _first(provider: str, choices: object) -> dict[str, Any] | None:
    # The chunk with the usage has none.
    if not choices:
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise UpstreamFailedError(provider, "choices of an unknown shape")
    return choices[0]


def _text(provider: str, part: object) -> str:
    if not isinstance(part, dict):
        raise UpstreamFailedError(provider, "a choice of an unknown shape")
    content = part.get("content") or part.get("refusal") or ""
    if not isinstance(content, str):
        raise UpstreamFailedError(provider, "content that is not text")
    return content
