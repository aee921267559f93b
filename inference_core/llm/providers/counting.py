"""What an answer used: as the server says where that is plausible, else estimated and marked so."""

from __future__ import annotations

from inference_core.llm.simulator.plan import count_input_tokens, count_tokens
from inference_core.llm.types import ChatRequest, Usage
from inference_core.llm.usage import MOST_TOKENS


def usage_of(request: ChatRequest, input_tokens: object, output_tokens: object, characters: int) -> Usage:
    """The counts that a server reports for an answer of so many characters, or an estimate.

    No prompt is free, and neither is a text.
    """
    read, written = count(input_tokens), count(output_tokens)
    if read and written is not None and (written or not characters):
        return Usage(read, written)
    return Usage(count_input_tokens(request.messages), count_tokens("x" * characters), estimated=True)


def count(value: object) -> int | None:
    """A number of tokens, which JSON may write as 3 or 3.0; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None
