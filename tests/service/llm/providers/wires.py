"""The wire formats of three vendors, and a provider for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from inference_core.llm.providers.openai_compatible import OpenAICompatibleProvider
from inference_core.llm.types import Provider

SECRET = "sk-hunter2-secret"
# A key or a prompt may be quoted in a provider's words.
TELLTALE = f"Incorrect API key provided: {SECRET}. You asked: why is the sky blue"
PIECES = ("The", " sky", " is", " blue — 青い", ".")


def data(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def openai_chunk(**more: Any) -> bytes:
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "system_fingerprint": "f",
    }
    return data(head | more)


def openai_piece(text: str) -> bytes:
    delta = {"content": text}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    return openai_chunk(choices=[choice], usage=None)


def openai_stream(pieces: Sequence[str] = PIECES) -> list[bytes]:
    opening = {"index": 0, "delta": {"role": "assistant", "content": "", "refusal": None}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return [
        openai_chunk(choices=[opening], usage=None),
        *map(openai_piece, pieces),
        openai_chunk(choices=[last], usage=None),
        openai_chunk(choices=[], usage=usage),
        b"data: [DONE]\n\n",
    ]


def openai_error(status: int, code: str) -> dict[str, Any]:
    return {"error": {"message": TELLTALE, "type": "some_error", "param": None, "code": code}}


def anthropic_event(name: str, **more: Any) -> bytes:
    return f"event: {name}\n".encode() + data({"type": name} | more)


def anthropic_piece(text: str) -> bytes:
    return anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def anthropic_stream(pieces: Sequence[str] = PIECES) -> list[bytes]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 8,
            "cache_creation_input_tokens": 1,
            "cache_read_input_tokens": 2,
            "output_tokens": 1,
        },
    }
    return [
        anthropic_event("message_start", message=message),
        anthropic_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        anthropic_event("ping"),
        *map(anthropic_piece, pieces),
        anthropic_event("content_block_stop", index=0),
        anthropic_event(
            "message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 7}
        ),
        anthropic_event("message_stop"),
    ]


def anthropic_error(status: int, code: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": code, "message": TELLTALE}, "request_id": "req_1"}


def gemini_chunk(text: str, **more: Any) -> bytes:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0} | more
    usage = {"promptTokenCount": 11, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 18}
    return data({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"})


def gemini_piece(text: str) -> bytes:
    return gemini_chunk(text)


def gemini_stream(pieces: Sequence[str] = PIECES) -> list[bytes]:
    return [*map(gemini_piece, pieces[:-1]), gemini_chunk(pieces[-1], finishReason="STOP")]


def gemini_error(status: int, code: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": TELLTALE, "status": code}}


@dataclass(frozen=True, slots=True)
class Wire:
    """A vendor: its provider, its stream, its errors, and the word it has for a prompt that is too long."""

    name: str
    provider: Callable[[str], Provider]
    stream: Callable[..., list[bytes]]
    piece: Callable[[str], bytes]
    error: Callable[[int, str], dict[str, Any]]
    too_long: dict[str, Any]
    mid_stream_error: bytes


def _openai(url: str) -> Provider:
    return OpenAICompatibleProvider("openai", f"{url}/v1", SecretStr(SECRET), connect_s=20)


def _anthropic(url: str) -> Provider:
    # Imported here, because the client takes seconds to import.
    from inference_core.llm.providers.anthropic import AnthropicProvider

    return AnthropicProvider("anthropic", SecretStr(SECRET), base_url=url, connect_s=20)


def _gemini(url: str) -> Provider:
    from inference_core.llm.providers.gemini import GeminiProvider

    return GeminiProvider("gemini", SecretStr(SECRET), base_url=url, connect_s=20)


WIRES = (
    Wire(
        "openai",
        _openai,
        openai_stream,
        openai_piece,
        openai_error,
        openai_error(400, "context_length_exceeded"),
        data({"error": {"message": TELLTALE, "type": "server_error", "code": None}}),
    ),
    Wire(
        "anthropic",
        _anthropic,
        anthropic_stream,
        anthropic_piece,
        anthropic_error,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"},
        },
        anthropic_event("error", error={"type": "overloaded_error", "message": TELLTALE}),
    ),
    Wire(
        "gemini",
        _gemini,
        gemini_stream,
        gemini_piece,
        gemini_error,
        {
            "error": {
                "code": 400,
                "message": "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                "status": "INVALID_ARGUMENT",
            }
        },
        data({"error": {"code": 503, "message": TELLTALE, "status": "UNAVAILABLE"}}),
    ),
)
