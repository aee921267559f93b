"""The cost of answers, and totals of usage.

Costs are whole numbers of a billionth of a dollar, so sums are exact in every database.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from inference_core.llm.types import Usage

NANO = 1_000_000_000
PER_TOKENS = 1_000_000


def cost_nano_usd(usage: Usage, input_usd_per_million: Decimal, output_usd_per_million: Decimal) -> int:
    """Return the cost of an answer in nano-dollars. Prices are in dollars per million tokens."""
    exact = usage.input_tokens * input_usd_per_million + usage.output_tokens * output_usd_per_million
    return int((exact * NANO / PER_TOKENS).to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of any number of answers."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_nano_usd + other.cost_nano_usd,
        )

    @property
    def total_tokens(self) -> int:
        """Return the sum of input and output."""
        return self.input_tokens + self.output_tokens

    @property
    def cost_usd(self) -> Decimal:
        """Return the cost in dollars, exactly."""
        return Decimal(self.cost_nano_usd).scaleb(-9)
