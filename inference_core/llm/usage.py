"""What an answer costs: whole numbers of a billionth of a dollar, so that sums are exact in every database."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from inference_core.llm.types import Message, Usage

NANO = 1_000_000_000
PER_TOKENS = 1_000_000


def cost_nano_usd(usage: Usage, input_usd_per_million: Decimal, output_usd_per_million: Decimal) -> int:
    """The cost of an answer in nano-dollars, by the prices of a million tokens in dollars."""
    exact = usage.input_tokens * input_usd_per_million + usage.output_tokens * output_usd_per_million
    return int((exact * NANO / PER_TOKENS).to_integral_value(ROUND_HALF_UP))


def in_usd(nano_usd: int) -> Decimal:
    """Nano-dollars as dollars, exactly."""
    return Decimal(nano_usd).scaleb(-9)


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
