"""Speeds of simulated models, and the distribution behind a figure such as 100 ± 20 ms."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

# The prompt length for `Speed.ttft`. Each token more or less changes the time by `prefill_ms_per_token`.
REFERENCE_PROMPT_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Spread:
    """A lognormal distribution, written as `median ± sd`. If `sd` is 0, every draw is the median.

    The median is e^mu. `sd` is the standard deviation of the draws, not of their logarithms. From sd² = (w - 1) · w ·
    median² with w = e^(sigma²) follows w = (1 + sqrt(1 + 4 · (sd / median)²)) / 2. The mean is slightly above the
    median: median · sqrt(w).
    """

    median: float
    sd: float = 0.0

    @property
    def sigma(self) -> float:
        """The standard deviation of the logarithm."""
        if self.median == 0 or self.sd == 0:
            return 0.0
        return math.sqrt(math.log((1 + math.sqrt(1 + 4 * (self.sd / self.median) ** 2)) / 2))

    def draw(self, rng: random.Random) -> float:
        """Draw a value."""
        sigma = self.sigma
        return self.median * math.exp(rng.gauss(0, sigma)) if sigma else self.median


@dataclass(frozen=True, slots=True)
class Speed:
    """A speed. Times are in milliseconds, lengths in tokens.

    Attributes:
        ttft: Time from arrival to first token on an idle machine, for a prompt of `REFERENCE_PROMPT_TOKENS`.
        prefill_ms_per_token: The part of `ttft` for each token of the prompt.
        gap: Time between two tokens. A share `stall_rate` of the gaps is drawn from `stall` instead.
        output_tokens: Length of the answers before `max_tokens` limits them.
    """

    ttft: Spread
    gap: Spread
    output_tokens: Spread
    prefill_ms_per_token: float = 0.0
    stall_rate: float = 0.0
    stall: Spread = Spread(0.0)

    def ttft_for(self, input_tokens: int) -> Spread:
        """Return the time to first token for a prompt of this length.

        It is a fixed overhead plus the time of the tokens. The spread is proportional.
        """
        overhead = self.ttft.median - REFERENCE_PROMPT_TOKENS * self.prefill_ms_per_token
        median = overhead + input_tokens * self.prefill_ms_per_token
        return Spread(median, self.ttft.sd * median / self.ttft.median if self.ttft.median else 0.0)

    def draw_gap(self, rng: random.Random) -> float:
        """Draw a gap between two tokens, in milliseconds."""
        stalled = self.stall_rate > 0 and rng.random() < self.stall_rate
        return (self.stall if stalled else self.gap).draw(rng)


ANSWER = Spread(150, 60)
SPEEDS = {
    "instant": Speed(ttft=Spread(0.0), gap=Spread(0.0), output_tokens=ANSWER),
    "fast": Speed(
        ttft=Spread(20, 4),
        prefill_ms_per_token=0.01,
        gap=Spread(2, 0.4),
        stall_rate=0.001,
        stall=Spread(20, 6),
        output_tokens=ANSWER,
    ),
    "8b-h100": Speed(
        ttft=Spread(100, 20),
        prefill_ms_per_token=0.04,
        gap=Spread(12, 2),
        stall_rate=0.001,
        stall=Spread(120, 40),
        output_tokens=ANSWER,
    ),
    "70b-h100": Speed(
        ttft=Spread(200, 40),
        prefill_ms_per_token=0.2,
        gap=Spread(25, 4),
        stall_rate=0.001,
        stall=Spread(250, 80),
        output_tokens=ANSWER,
    ),
    # A reasoning model: a long time to first token.
    "slow-reasoning": Speed(
        ttft=Spread(8000, 3000),
        prefill_ms_per_token=0.2,
        gap=Spread(30, 6),
        stall_rate=0.002,
        stall=Spread(500, 150),
        output_tokens=Spread(400, 150),
    ),
}
