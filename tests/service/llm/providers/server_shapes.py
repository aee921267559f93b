"""Streams and complete answers of the chat completions API in the forms of real servers.

They are collected from documentation and issue trackers. Each builder converts the pieces of a text to the chunks of a
stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Chunk = dict[str, Any]
USAGE = {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32}


def chunk(choices: Any, **more: Any) -> Chunk:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return head | {"choices": choices} | more


def choice(delta: Any, finish_reason: str | None = None, **more: Any) -> Chunk:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason} | more


def openai(pieces: Sequence[str]) -> list[Chunk]:
    opening = choice({"role": "assistant", "content": "", "refusal": None}, logprobs=None)
    said = [chunk([choice({"content": piece}, logprobs=None)], usage=None, obfuscation="x") for piece in pieces]
    return [
        chunk([opening], usage=None, service_tier="default"),
        *said,
        chunk([choice({}, "stop")], usage=None),
        chunk([], usage=USAGE | {"completion_tokens_details": {"reasoning_tokens": 0}}),
    ]


def azure(pieces: Sequence[str]) -> list[Chunk]:
    filtered = chunk([], prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {}}])
    annotations = [{"index": 0, "delta": None, "finish_reason": None, "content_filter_offsets": {"check_offset": 1}}]
    return [filtered | {"id": "", "model": "", "object": ""}, *openai(pieces)[:-1], chunk(annotations), openai("")[-1]]


def vllm_reasoning(pieces: Sequence[str]) -> list[Chunk]:
    thoughts = [chunk([choice({"reasoning": word, "reasoning_content": word})]) for word in ("hm", " so")]
    said = [chunk([choice({"content": piece, "reasoning_content": None}, stop_reason=None)]) for piece in pieces]
    return [*thoughts, *said, chunk([choice({"content": ""}, "stop")]), chunk([], usage=USAGE)]


def deepseek(pieces: Sequence[str]) -> list[Chunk]:
    thoughts = [chunk([choice({"content": None, "reasoning_content": "hm"})])]
    said = [chunk([choice({"content": piece, "reasoning_content": None})]) for piece in pieces]
    return [*thoughts, *said, chunk([choice({"content": "", "reasoning_content": None}, "stop")], usage=USAGE)]


def llama_cpp(pieces: Sequence[str]) -> list[Chunk]:
    said = [chunk([choice({"content": piece})]) for piece in pieces]
    return [chunk([choice({"role": "assistant", "content": None})]), *said, chunk([choice({}, "stop")], timings={})]


def ollama(pieces: Sequence[str]) -> list[Chunk]:
    said = [
        chunk([choice({"role": "assistant", "content": piece})], system_fingerprint="fp_ollama") for piece in pieces
    ]
    return [*said, chunk([choice({"role": "assistant", "content": ""}, "stop")]), chunk([], usage=USAGE)]


def moonshot(pieces: Sequence[str]) -> list[Chunk]:
    said = [chunk([choice({"content": piece})]) for piece in pieces]
    return [*said, chunk([choice({}, "stop", usage=USAGE)])]


def groq(pieces: Sequence[str]) -> list[Chunk]:
    said = [chunk([choice({"content": piece}, logprobs=None)]) for piece in pieces]
    opening = chunk([choice({"role": "assistant", "content": ""})], x_groq={"id": "req_1"})
    return [opening, *said, chunk([choice({}, "stop")], x_groq={"id": "req_1", "usage": USAGE})]


def mistral(pieces: Sequence[str]) -> list[Chunk]:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    reference = [{"type": "reference", "reference_ids": [1]}]
    said = [chunk([choice({"content": [{"type": "text", "text": piece}]})]) for piece in pieces]
    return [
        chunk([choice({"role": "assistant", "content": thinking})]),
        *said,
        chunk([choice({"content": reference})]),
        chunk([choice({"content": ""}, "stop")], usage=USAGE),
    ]


def openrouter(pieces: Sequence[str]) -> list[Chunk]:
    thought = {"role": "assistant", "content": "", "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text"}]}
    said = [chunk([choice({"role": "assistant", "content": piece}, native_finish_reason=None)]) for piece in pieces]
    last = chunk([choice({"role": "assistant", "content": ""}, "stop", native_finish_reason="STOP")])
    return [chunk([choice(thought)], provider="x"), *said, last, chunk([choice({"content": ""})], usage=USAGE)]


def litellm(pieces: Sequence[str]) -> list[Chunk]:
    said = [chunk([choice({"content": piece, "role": None, "tool_calls": None})]) for piece in pieces]
    return [*said, chunk([choice({"content": None, "role": None}, "stop")]), chunk([choice({})], usage=USAGE)]


def gemini(pieces: Sequence[str]) -> list[Chunk]:
    running = {"prompt_tokens": 19, "total_tokens": 19}  # no completion_tokens before there are any
    said = [chunk([choice({"content": piece, "role": "assistant"})], usage=running) for piece in pieces]
    return [*said, chunk([choice({"role": "assistant"}, "stop")], usage=USAGE)]


def sglang(pieces: Sequence[str]) -> list[Chunk]:
    said = [chunk([choice({"content": piece, "reasoning_content": None}, matched_stop=None)]) for piece in pieces]
    floats = {name: float(count) for name, count in USAGE.items()}
    return [*said, chunk([choice({}, "stop", matched_stop=2)]), chunk([], usage=floats)]


def anthropic_compatible(pieces: Sequence[str]) -> list[Chunk]:
    said = [chunk([choice({"content": piece})], usage=None) for piece in pieces]
    return [chunk(None), chunk([None]), *said, {"type": "ping"}, chunk([{"index": 0, "finish_reason": "stop"}])]


def tool_call(pieces: Sequence[str]) -> list[Chunk]:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    said = [chunk([choice({"content": piece})]) for piece in pieces]
    return [*said, chunk([choice({"content": None, "tool_calls": [call]})]), chunk([choice({}, "tool_calls")])]


def refusal(pieces: Sequence[str]) -> list[Chunk]:
    said = [chunk([choice({"refusal": piece, "content": None})]) for piece in pieces]
    return [*said, chunk([choice({}, "content_filter")], usage=USAGE)]


Shape = Callable[[Sequence[str]], list[Chunk]]
SHAPES: tuple[Shape, ...] = (
    openai,
    azure,
    vllm_reasoning,
    deepseek,
    llama_cpp,
    ollama,
    moonshot,
    groq,
    mistral,
    openrouter,
    litellm,
    gemini,
    sglang,
    anthropic_compatible,
    tool_call,
    refusal,
)
SAY_NO_USAGE: frozenset[Shape] = frozenset({llama_cpp, anthropic_compatible, tool_call})


def whole(text: str, **more: Any) -> Chunk:
    """An answer in one piece."""
    message = {"role": "assistant", "content": text, "refusal": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE}
    return head | {"choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]} | more


@dataclass(frozen=True, slots=True)
class Overflow:
    """What a server says when a prompt does not fit: the body of its refusal, and the status."""

    server: str
    body: Any
    status: int = 400


def error(message: str, **more: Any) -> Any:
    return {"error": {"message": message} | more}


VLLM = (
    "This model's maximum context length is 32768 tokens. However, your request has 40000 input tokens. Please reduce"
)
OVERFLOWS = (
    Overflow("openai", error("Your input exceeds the context window of this model.", code="context_length_exceeded")),
    Overflow(
        "openai, older",
        error(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens.",
            type="invalid_request_error",
            param="messages",
            code="context_length_exceeded",
        ),
    ),
    Overflow("azure", error("This model's maximum context length is 128000 tokens.", code="context_length_exceeded")),
    Overflow("vllm", error(f"{VLLM} the length of the input messages.", type="BadRequestError", code=400)),
    Overflow(
        "vllm, older", {"object": "error", "message": VLLM, "type": "BadRequestError", "param": None, "code": 400}
    ),
    Overflow(
        "llama.cpp",
        error(
            "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
            code=400,
            type="exceed_context_size_error",
            n_prompt_tokens=4390,
            n_ctx=4096,
        ),
    ),
    Overflow(
        "llama.cpp, older",
        error(
            "the request exceeds the available context size. try increasing the context size or enable context shift",
            code=400,
            type="invalid_request_error",
        ),
    ),
    Overflow(
        "llama.cpp, a failure", error("Context size has been exceeded.", code=500, type="server_error"), status=500
    ),
    Overflow("llama.cpp, by its type", error("too many", code=500, type="exceed_context_size_error"), status=500),
    Overflow("llama-cpp-python", error("Requested tokens (2285) exceed context window of 2048")),
    Overflow("ollama", {"error": "prompt too long; exceeded max context length by 4096 tokens"}),
    Overflow("ollama, embeddings", {"error": "the input length exceeds the context length"}),
    Overflow(
        "lm studio",
        {
            "error": "Trying to keep the first 6269 tokens when context the overflows. However, the model is loaded "
            "with context length of only 4096 tokens, which is not enough."
        },
    ),
    Overflow(
        "lm studio, newer",
        error("The number of tokens to keep from the initial prompt is greater than the context length."),
    ),
    Overflow(
        "tgi",
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 3474 `inputs` "
            "tokens and 60 `max_new_tokens`",
            "error_type": "validation",
        },
        status=422,
    ),
    Overflow(
        "tgi, prompt alone",
        {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 1500"},
        status=422,
    ),
    Overflow(
        "sglang",
        {
            "object": "error",
            "message": "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    Overflow(
        "sglang, memory", error("Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).")
    ),
    Overflow(
        "litellm",
        error(
            "litellm.ContextWindowExceededError: litellm.BadRequestError: Hosted_vllmException - Input length 9000",
            type=None,
            param=None,
            code="400",
        ),
    ),
    Overflow(
        "deepseek",
        error(
            "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens.",
            type="invalid_request_error",
            code="invalid_request_error",
        ),
    ),
    Overflow(
        "groq",
        error(
            "Please reduce the length of the messages or completion.", type="invalid_request_error", param="messages"
        ),
    ),
    Overflow(
        "mistral",
        {
            "object": "error",
            "message": "Prompt contains 10000 tokens and 0 draft tokens, too large for model with 8192 maximum context "
            "length",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        },
    ),
    Overflow(
        "openrouter",
        error("This endpoint's maximum context length is 8192 tokens. However, you requested about 12000.", code=400),
    ),
    Overflow(
        "anthropic",
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "prompt is too long: 210000 tokens > 200000 maximum",
            },
        },
    ),
    Overflow(
        "anthropic, with the answer",
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
            },
        },
    ),
    Overflow(
        "gemini",
        [
            error(
                "The input token count (1043256) exceeds the maximum number of tokens allowed (1048576).",
                code=400,
                status="INVALID_ARGUMENT",
            )
        ],
    ),
    Overflow(
        "xai",
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 150000 tokens.",
        },
    ),
    Overflow("moonshot", error("Invalid request: Your request exceeded model token limit: 8192")),
    Overflow("bedrock", error("Input is too long for requested model.")),
    Overflow("dashscope", error("Range of input length should be [1, 129024]")),
    Overflow("cohere", {"message": "too many tokens: total number of tokens in the prompt exceeds the limit of 4081"}),
    Overflow(
        "a gateway with another status",
        {"error": "Context limit is 49152 tokens; prompt=51402 leaves 0 output tokens"},
        status=404,
    ),
    Overflow("plain text", "Request rejected: this model's maximum context length is 8192 tokens."),
)

# Refusals that sound alike.
NO_OVERFLOWS = (
    Overflow("a limit", error("too many tokens: maximum context length", type="rate_limit"), status=429),
    Overflow("a key", error("maximum context length"), status=401),
    Overflow("a failure", error("failed to load: the maximum context length is not available"), status=500),
    Overflow(
        "groq, tokens a minute",
        error("Request too large for model on tokens per minute (TPM)", type="tokens", code="rate_limit_exceeded"),
        status=413,
    ),
    Overflow(
        "openai, output",
        error("max_tokens is too large: 100000. This model supports at most 4096 completion tokens."),
    ),
    Overflow(
        "anthropic, output",
        error("max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-x"),
    ),
    Overflow(
        "a long string", error("Invalid 'messages[3].content': string too long. Expected a maximum length 1048576")
    ),
    Overflow("a schema", error("Invalid schema for function 'read': In context=('properties', 'path')")),
)
