"""The shapes of OpenAI's chat completions API, as far as the simulator speaks it."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from inference_core.llm.simulator.faults import Fault, FaultKind
from inference_core.llm.simulator.plan import Plan
from inference_core.llm.types import ChatRequest, Message, ReasoningEffort, Role, SamplingParams, Token, Verbosity

MODEL = "simulated"
DONE = b"data: [DONE]\n\n"
MALFORMED = b'data: {"id": "chatcmpl-\n\n'
ROLES: dict[str, Role] = {
    "developer": "system",
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    # What tools gave is part of the prompt.
    "tool": "user",
    "function": "user",
}

# Status, type and code of a refusal.
REFUSALS: dict[FaultKind, tuple[int, str, str]] = {
    "connect_refused": (503, "server_error", "unavailable"),
    "unavailable": (503, "server_error", "unavailable"),
    "rate_limited": (429, "requests", "rate_limit_exceeded"),
    "auth_failed": (401, "invalid_request_error", "invalid_api_key"),
    "context_too_long": (400, "invalid_request_error", "context_length_exceeded"),
    "server_error": (500, "server_error", "internal_error"),
    "model_not_found": (404, "invalid_request_error", "model_not_found"),
}


def _asks_nothing(value: Any) -> Any:
    if value:
        raise ValueError("The simulator does not support this parameter. Remove it.")
    return value


# A parameter that would change the answer. It may be there as long as it asks for nothing: null, false, [] or {}.
NotCarriedOut = Annotated[Any, AfterValidator(_asks_nothing)]


class Lenient(BaseModel):
    """What clients send besides is ignored, as the real API grows; what would change an answer is named below."""

    model_config = ConfigDict(extra="ignore")


class TextPart(Lenient):
    """A piece of a message; only text is understood."""

    type: Literal["text"]
    text: str


class WireMessage(Lenient):
    """A message; its content may come in pieces, and is null beside the tool calls of an assistant."""

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    def message(self) -> Message:
        """As the simulator knows it."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content or [])
        return Message(ROLES[self.role], content)


class StreamOptions(Lenient):
    """What to send besides the pieces."""

    include_usage: bool = False


class TextFormat(Lenient):
    """The only form of an answer that there is."""

    type: Literal["text"]


class ChatBody(Lenient):
    """The body of `POST /v1/chat/completions`."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    messages: Annotated[list[WireMessage], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    reasoning_effort: ReasoningEffort | None = None
    verbosity: Verbosity | None = None
    response_format: TextFormat | None = None
    modalities: list[Literal["text"]] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    function_call: Literal["none", "auto"] | None = None
    tools: NotCarriedOut = None
    functions: NotCarriedOut = None
    stop: NotCarriedOut = None
    logprobs: NotCarriedOut = None
    top_logprobs: NotCarriedOut = None
    logit_bias: NotCarriedOut = None
    audio: NotCarriedOut = None
    prediction: NotCarriedOut = None
    web_search_options: NotCarriedOut = None

    def request(self, fault: str | None) -> ChatRequest:
        """As the simulator knows it."""
        params = SamplingParams(
            temperature=self.temperature,
            max_tokens=self.max_completion_tokens or self.max_tokens,
            top_p=self.top_p,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            reasoning_effort=self.reasoning_effort,
            verbosity=self.verbosity,
        )
        return ChatRequest(tuple(message.message() for message in self.messages), params, fault=fault)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one answer. `planned_ms` is the simulator's own addition to each piece."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def token(self, token: Token) -> bytes:
        """A piece of a stream."""
        return self._chunk({"content": token.content}, None, planned_ms=round(token.planned_ms or 0.0, 3))

    def role(self) -> bytes:
        """What stands before the first piece."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def end(self, plan: Plan) -> bytes:
        """Why the stream ends."""
        return self._chunk({}, plan.finish_reason)

    def usage(self, plan: Plan) -> bytes:
        """The chunk with the usage, which has no choice."""
        return _event({**self._head("chat.completion.chunk"), "choices": [], "usage": usage_of(plan)})

    def completion(self, plan: Plan) -> dict[str, Any]:
        """A whole answer."""
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
    """Tokens of a prompt and its answer."""
    counts = (plan.input_tokens, len(plan.tokens))
    return {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}


def models() -> dict[str, Any]:
    """The one model there is; every other name is answered just the same."""
    return {"object": "list", "data": [model(MODEL)]}


def model(name: str) -> dict[str, Any]:
    """A model of that name."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "inference-core"}


def parameter_at(place: tuple[int | str, ...]) -> str | None:
    """The parameter at a place where validation failed, without the branch of a union that was tried."""
    steps = [str(step) for step in place]
    branch = next((index for index, step in enumerate(steps) if step == "str" or step.startswith("list[")), len(steps))
    return ".".join(steps[:branch]) or None


def error_body(message: str, kind: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    """An error as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refusal(fault: Fault) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers of a fault that comes before the answer."""
    status, kind, code = REFUSALS[fault.kind]
    headers = {"Retry-After": str(round(fault.value))} if fault.kind in ("rate_limited", "unavailable") else {}
    return status, error_body(f"Simulated fault: {fault.kind}.", kind, code), headers
