"""What an answer costs: whole numbers of a billionth of a dollar, so that sums are exact in every database."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from inference_core.llm.types import Usage

NANO = 1_000_000_000


PER_TOKENS = 1_000_000


def cost_nano_usd(usage: Usage, input_usd_per_million: Decimal, output_usd_per_million: Decimal) -> int:
    """The cost of an answer in nano-dollars, by the prices of a million tokens in dollars."""
    exact = usage.input_tokens * input_usd_per_million + usage.output_tokens * output_usd_per_million
    return int((exact * NANO / PER_TOKENS).to_integral_value(ROUND_HALF_UP))


def in_usd(nano_usd: int) -> Decimal:
    """Nano-dollars as dollars, exactly."""
    return Decimal(nano_usd).scaleb(-9)
