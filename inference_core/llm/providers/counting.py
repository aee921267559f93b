"""The usage of an answer: the server's value if it is plausible, else an estimate, which is marked."""

from __future__ import annotations

from inference_core.llm.simulator.plan import count_input_tokens, count_tokens
from inference_core.llm.tokens import MOST_TOKENS
from inference_core.llm.types import ChatRequest, Usage


def usage_of(request: ChatRequest, input_tokens: object, output_tokens: object, characters: int) -> Usage:
    """Return the counts of a server for an answer of this length, or an estimate.

    A count of zero for a prompt or a text is not plausible.
    """
    read, written = count(input_tokens), count(output_tokens)
    if read and written is not None and (written or not characters):
        return Usage(read, written)
    return Usage(count_input_tokens(request.messages), count_tokens("x" * characters), estimated=True)


def count(value: object) -> int | None:
    """Return a number of tokens, which JSON can write as 3 or 3.0. None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None
