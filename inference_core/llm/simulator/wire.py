"""The part of OpenAI's chat completions API that the simulator supports."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from inference_core.llm.sampling import SamplingFields
from inference_core.llm.simulator.faults import Fault, FaultKind
from inference_core.llm.simulator.plan import Plan
from inference_core.llm.types import ChatRequest, Message, Role, Token

MODEL = "simulated"
DONE = b"data: [DONE]\n\n"
MALFORMED = b'data: {"id": "chatcmpl-\n\n'
ROLES: dict[str, Role] = {
    "developer": "system",
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    # Results of tools are part of the prompt.
    "tool": "user",
    "function": "user",
}

# The status, type and code of each refusal.
REFUSALS: dict[FaultKind, tuple[int, str, str]] = {
    "connect_refused": (503, "server_error", "unavailable"),
    "unavailable": (503, "server_error", "unavailable"),
    "rate_limited": (429, "requests", "rate_limit_exceeded"),
    "auth_failed": (401, "invalid_request_error", "invalid_api_key"),
    "context_too_long": (400, "invalid_request_error", "context_length_exceeded"),
    "server_error": (500, "server_error", "internal_error"),
    "model_not_found": (404, "invalid_request_error", "model_not_found"),
}


def _must_be_empty(value: Any) -> Any:
    if value:
        raise ValueError("The simulator does not support this parameter. Remove it.")
    return value


# An unsupported parameter that would change the answer. Only null, false, [], {} and other empty values are accepted.
Unsupported = Annotated[Any, AfterValidator(_must_be_empty)]


class Lenient(BaseModel):
    """Ignores unknown parameters, because the real API grows.

    Unsupported parameters that change the answer are listed below.
    """

    model_config = ConfigDict(extra="ignore")


class TextPart(Lenient):
    """A part of a message; only text is supported."""

    type: Literal["text"]
    text: str


class WireMessage(Lenient):
    """A message. Its content can be a list of parts, or null if an assistant message contains tool calls."""

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    def message(self) -> Message:
        """Convert it to the simulator's own type."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content or [])
        return Message(ROLES[self.role], content)


class StreamOptions(Lenient):
    """Additional parts of the stream."""

    include_usage: bool = False


class TextFormat(Lenient):
    """The only supported response format."""

    type: Literal["text"]


class ChatBody(SamplingFields, Lenient):
    """The body of `POST /v1/chat/completions`."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    messages: Annotated[list[WireMessage], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    response_format: TextFormat | None = None
    modalities: list[Literal["text"]] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    function_call: Literal["none", "auto"] | None = None
    tools: Unsupported = None
    functions: Unsupported = None
    stop: Unsupported = None
    logprobs: Unsupported = None
    top_logprobs: Unsupported = None
    logit_bias: Unsupported = None
    audio: Unsupported = None
    prediction: Unsupported = None
    web_search_options: Unsupported = None

    def request(self, fault: str | None) -> ChatRequest:
        """Convert it to the simulator's own type."""
        params = replace(self.params(), max_tokens=self.max_completion_tokens or self.max_tokens)
        return ChatRequest(tuple(message.message() for message in self.messages), params, fault=fault)

    @property
    def wants_usage(self) -> bool:
        """Whether the stream ends with a usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage


@dataclass(frozen=True, slots=True)
class Writer:
    """Formats one answer. `planned_ms` is the simulator's own addition to each chunk."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def token(self, token: Token) -> bytes:
        """Return a chunk with content."""
        return self._chunk({"content": token.content}, None, planned_ms=round(token.planned_ms or 0.0, 3))

    def role(self) -> bytes:
        """Return the chunk before the content."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def end(self, plan: Plan) -> bytes:
        """Return the chunk with the finish reason."""
        return self._chunk({}, plan.finish_reason)

    def usage(self, plan: Plan) -> bytes:
        """Return the usage chunk, which has no choices."""
        return _event({**self._head("chat.completion.chunk"), "choices": [], "usage": usage_of(plan)})

    def completion(self, plan: Plan) -> dict[str, Any]:
        """Return a complete answer."""
        message = {"role": "assistant", "content": "".join(plan.tokens), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": plan.finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage_of(plan)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, delta: dict[str, str], finish_reason: str | None, **more: float) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event({**self._head("chat.completion.chunk"), "choices": [choice], **more})


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def usage_of(plan: Plan) -> dict[str, int]:
    """Return the token counts of a prompt and its answer."""
    counts = (plan.input_tokens, len(plan.tokens))
    return {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}


def models() -> dict[str, Any]:
    """Return the list of the only model. Requests for other models get the same answers."""
    return {"object": "list", "data": [model(MODEL)]}


def model(name: str) -> dict[str, Any]:
    """Return the description of a model."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "inference-core"}


def parameter_at(place: tuple[int | str, ...]) -> str | None:
    """Return the parameter that failed validation, without the tried branch of a union."""
    steps = [str(step) for step in place]
    branch = next((index for index, step in enumerate(steps) if step == "str" or step.startswith("list[")), len(steps))
    return ".".join(steps[:branch]) or None


def error_body(message: str, kind: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    """Return an error in OpenAI's format."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refusal(fault: Fault) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return the status, body and headers of a fault before the answer."""
    status, kind, code = REFUSALS[fault.kind]
    headers = {"Retry-After": str(round(fault.value))} if fault.kind in ("rate_limited", "unavailable") else {}
    return status, error_body(f"Simulated fault: {fault.kind}.", kind, code), headers
