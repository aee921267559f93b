"""Estimates of token counts, and the check of the counts that providers report.

There are two estimates:

- The typical one divides the characters by four. It replaces a usage that the provider does not report. The simulator
  uses it as its exact count.
- The conservative one divides the bytes by three, and adds the frame of each message. It is the basis of everything
  that must not be too low: the tokens that a request reserves, the charge of a prompt without an answer, and the
  replacement of a usage that cannot be true.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from inference_core.llm.types import Message, Usage

CHARACTERS_PER_TOKEN = 4
# English has about four bytes of UTF-8 per token, Chinese and Japanese three.
BYTES_PER_TOKEN = 3
# For the role and the delimiters of a message.
TOKENS_PER_MESSAGE = 4

# No model reads or writes as many tokens in one answer.
MAX_TOKENS = 10_000_000
# Tokens that a provider can add to a prompt: instructions, tools, templates.
MAX_ADDED_TOKENS = 100_000
# The longest answer. It fits into a column of every database.
MAX_ANSWER_BYTES = 16_000_000


def typical_tokens(characters: int) -> int:
    """Return the typical number of tokens of a text of this length."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def typical_prompt_tokens(messages: Sequence[Message]) -> int:
    """Return the typical number of tokens of a prompt. Every message has at least one."""
    return sum(max(1, typical_tokens(len(message.content))) for message in messages)


def conservative_tokens(text_bytes: int) -> int:
    """Return a high estimate of the tokens of a text of this length in UTF-8."""
    return math.ceil(text_bytes / BYTES_PER_TOKEN)


def conservative_prompt_tokens(messages: Sequence[Message]) -> int:
    """Return a high estimate of the tokens of a prompt."""
    return sum(TOKENS_PER_MESSAGE + conservative_tokens(_utf8_length(message)) for message in messages)


def reported_usage(messages: Sequence[Message], input_tokens: object, output_tokens: object, characters: int) -> Usage:
    """Return the usage in a provider's response, or the typical one if the response contains none.

    A count of zero for a prompt or for a text is no usage.

    Args:
        messages: The prompt.
        input_tokens: The provider's value, of any type.
        output_tokens: The provider's value, of any type.
        characters: The length of the answer.
    """
    read, written = token_count(input_tokens), token_count(output_tokens)
    if read and written is not None and (written or not characters):
        return Usage(read, written)
    return Usage(typical_prompt_tokens(messages), typical_tokens(characters), estimated=True)


def token_count(value: object) -> int | None:
    """Return a token count, which JSON can contain as 3 or 3.0. None if the value is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TOKENS:
        return None
    return int(value) if value == int(value) else None


def plausible_usage(usage: Usage, messages: Sequence[Message], text_bytes: int) -> Usage:
    """Return the usage with a conservative estimate in place of each count that cannot be true.

    Args:
        usage: The usage of the provider.
        messages: The prompt.
        text_bytes: The length of the answer in UTF-8.
    """
    most_input = MAX_ADDED_TOKENS
    if usage.input_tokens > most_input:
        most_input += sum(map(_utf8_length, messages))
    input_is_plausible = 0 < usage.input_tokens <= min(most_input, MAX_TOKENS)
    output_is_plausible = (1 if text_bytes else 0) <= usage.output_tokens <= MAX_TOKENS
    if input_is_plausible and output_is_plausible:
        return usage
    return Usage(
        usage.input_tokens if input_is_plausible else conservative_prompt_tokens(messages),
        usage.output_tokens if output_is_plausible else conservative_tokens(text_bytes),
        estimated=True,
    )


def _utf8_length(message: Message) -> int:
    return len(message.content.encode("utf-8", "replace"))
