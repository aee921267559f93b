"""The answers of a simulated model and their times, planned in advance from the seed and the request."""

from __future__ import annotations

import random
from dataclasses import astuple, dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Literal

from inference_core.llm.simulator.speeds import Speed
from inference_core.llm.simulator.text import answer_pieces
from inference_core.llm.tokens import typical_prompt_tokens
from inference_core.llm.types import ChatRequest


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer and its times on an idle machine.

    Attributes:
        tokens: The pieces of text, at least one.
        due_ms: The time of each token, in milliseconds from the start of the request.
        finish_reason: `length` if `max_tokens` or the context of the model limits the answer, else `stop`.
    """

    input_tokens: int
    tokens: tuple[str, ...]
    due_ms: tuple[float, ...]
    finish_reason: Literal["stop", "length"]


def make_plan(seed: int, request: ChatRequest, model: str, speed: Speed, room_tokens: int | None = None) -> Plan:
    """Plan the answer to `request`.

    The same seed, model, messages, parameters and speed give the same plan. The id of the request has no influence, so
    different answers need different messages.

    Args:
        room_tokens: Maximum number of tokens of the answer, in addition to `max_tokens`.
    """
    rng = random.Random(_key(seed, request, model))  # noqa: S311  # a simulation, not a secret
    input_tokens = typical_prompt_tokens(request.messages)
    wanted = max(1, round(speed.output_tokens.draw(rng)))
    limits = [limit for limit in (request.params.max_tokens, room_tokens) if limit is not None]
    length = max(1, min([wanted, *limits]))
    first_ms = speed.ttft_for(input_tokens).draw(rng)
    gaps = (speed.draw_gap(rng) for _ in range(length - 1))
    due_ms = tuple(accumulate(gaps, initial=first_ms))
    tokens = answer_pieces(rng, length, is_cut=length < wanted)
    return Plan(input_tokens, tokens, due_ms, "length" if length < wanted else "stop")


def _key(seed: int, request: ChatRequest, model: str) -> int:
    messages = [(message.role, message.content) for message in request.messages]
    identity = repr((seed, model, messages, astuple(request.params)))
    return int.from_bytes(blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).digest())
