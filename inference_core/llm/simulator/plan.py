"""What a simulated model will answer and when, decided before the first token: a pure function of seed and request."""

from __future__ import annotations

import math
import random
from dataclasses import astuple, dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Literal

from inference_core.llm.simulator.speeds import Speed
from inference_core.llm.types import ChatRequest, Message

CHARACTERS_PER_TOKEN = 4
OPENING = ("This", " is", " a", " simulated", " answer", ".")
WORDS = tuple(
    " answer, model measures tokens; latency, queue holds requests. Load rises slowly; under pressure, servers wait. "
    "A steady stream flows through every layer of software between reader and writer. Numbers tell what words hide: "
    "half arrive early, some arrive late. Patience pays, budgets end, caches warm, buffers drain. Most systems fail at "
    "their edges, where nobody looked before.".replace(" ", "\0 ").split("\0")[1:]
)


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer and its times on an idle machine.

    Attributes:
        tokens: the pieces of text, at least one.
        due_ms: when each token is due, in milliseconds from the moment the request is taken up.
        finish_reason: `length` if `max_tokens` or the model's room cut the answer, else `stop`.
    """

    input_tokens: int
    tokens: tuple[str, ...]
    due_ms: tuple[float, ...]
    finish_reason: Literal["stop", "length"]


def count_tokens(text: str) -> int:
    """Tokens of a text as the simulator counts them: one for every four characters or part of them."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def count_input_tokens(messages: tuple[Message, ...]) -> int:
    """Tokens of a prompt; no message is free."""
    return sum(max(1, count_tokens(message.content)) for message in messages)


def make_plan(seed: int, request: ChatRequest, model: str, speed: Speed, room_tokens: int | None = None) -> Plan:
    """Decide the answer to `request`.

    The same seed, model, messages, parameters and speed give the same plan; the request's id plays no part, so
    whoever wants different answers asks different questions.

    Args:
        room_tokens: how many tokens the answer may have at most, besides `max_tokens`.
    """
    rng = random.Random(_key(seed, request, model))  # noqa: S311  # a simulation, not a secret
    input_tokens = count_input_tokens(request.messages)
    wanted = max(1, round(speed.output_tokens.draw(rng)))
    limits = [limit for limit in (request.params.max_tokens, room_tokens) if limit is not None]
    length = max(1, min([wanted, *limits]))
    first_ms = speed.ttft_for(input_tokens).draw(rng)
    gaps = (speed.draw_gap(rng) for _ in range(length - 1))
    due_ms = tuple(accumulate(gaps, initial=first_ms))
    tokens = (OPENING + tuple(rng.choices(WORDS, k=max(0, length - len(OPENING)))))[:length]
    return Plan(input_tokens, tokens, due_ms, "length" if length < wanted else "stop")


def _key(seed: int, request: ChatRequest, model: str) -> int:
    messages = [(message.role, message.content) for message in request.messages]
    identity = repr((seed, model, messages, astuple(request.params)))
    return int.from_bytes(blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).digest())
