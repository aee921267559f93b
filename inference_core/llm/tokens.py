"""What an answer costs: whole numbers of a billionth of a dollar, so that sums are exact in every database."""

from __future__ import annotations

import math
from collections.abc import Sequence

from inference_core.llm.types import Message, Usage

# Bytes of UTF-8 that make a token, at least: English has about four to a token, Chinese and Japanese three.
BYTES_PER_TOKEN = 3
# Around each message, for its role and its borders.
TOKENS_PER_MESSAGE = 4


def tokens_of_bytes(count: int) -> int:
    """Tokens that a text of so many bytes (UTF-8) may take, rather too many than too few."""
    return math.ceil(count / BYTES_PER_TOKEN)


def estimate_prompt(messages: Sequence[Message]) -> int:
    """Tokens that a prompt may take, rather too many than too few."""
    return sum(
        TOKENS_PER_MESSAGE + tokens_of_bytes(len(message.content.encode("utf-8", "replace"))) for message in messages
    )


# No model reads or writes more in one answer, by orders of magnitude.
MOST_TOKENS = 10_000_000
# What a provider may add to a prompt of its own: instructions, tools, templates.
MOST_ADDED_TOKENS = 100_000
# Of an answer: what fits into a column of every database, whatever its characters.
MOST_BYTES = 16_000_000


def believable(usage: Usage, messages: Sequence[Message], text_bytes: int) -> Usage:
    """The usage as its provider told it, where it can be true; where it cannot, an estimate that says so.

    Args:
        messages: the prompt.
        text_bytes: of the answer, in UTF-8.
    """
    told_input, told_output = usage.input_tokens, usage.output_tokens
    most_input = MOST_ADDED_TOKENS
    if told_input > most_input:
        most_input += sum(len(message.content.encode("utf-8", "replace")) for message in messages)
    input_is_true = 0 < told_input <= min(most_input, MOST_TOKENS)
    output_is_true = (0 if not text_bytes else 1) <= told_output <= MOST_TOKENS
    if input_is_true and output_is_true:
        return usage
    return Usage(
        told_input if input_is_true else estimate_prompt(messages),
        told_output if output_is_true else tokens_of_bytes(text_bytes),
        estimated=True,
    )
