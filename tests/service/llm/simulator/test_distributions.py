"""The measured times of the simulator have the distributions of its speeds: two-sample Kolmogorov-Smirnov tests.

The simulator runs in virtual time, so the measured times are exact. The seeds are fixed, so every run is the same.
"""

from __future__ import annotations

import bisect
import math
import random
import statistics
from collections.abc import Callable, Sequence

import pytest

from inference_core.llm.providers.simulated import SimulatedProvider
from inference_core.llm.simulator.engine import Engine, SimulatorOptions
from inference_core.llm.simulator.speeds import REFERENCE_PROMPT_TOKENS, SPEEDS, Spread
from inference_core.llm.tokens import CHARACTERS_PER_TOKEN
from inference_core.llm.types import ChatRequest, Message, ModelCall, SamplingParams, Token
from tests.support.virtual_time import run_in_virtual_time

DRAWS = 2500
CALL = ModelCall("model", "model")
# c(alpha) of the two-sample test: the distance is at most c * sqrt((n + m) / (n * m)) with probability 1 - alpha.
# For alpha = 0.01 c = sqrt(-ln(alpha / 2) / 2) = 1.628; Smirnov 1948, Knuth TAOCP vol. 2, 3.3.1.
CRITICAL = math.sqrt(-math.log(0.01 / 2) / 2)


def distance(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sample Kolmogorov-Smirnov statistic: the greatest difference between the two empirical distributions."""
    one, two = sorted(first), sorted(second)
    return max(
        abs(bisect.bisect_right(one, value) / len(one) - bisect.bisect_right(two, value) / len(two))
        for value in (*one, *two)
    )


def bound(first: Sequence[float], second: Sequence[float]) -> float:
    return CRITICAL * math.sqrt((len(first) + len(second)) / (len(first) * len(second)))


def sigma_of(median: float, sd: float) -> float:
    """The sigma for which a lognormal distribution has this standard deviation, found by halving."""
    low, high = 0.0, 5.0
    for _ in range(200):
        middle = (low + high) / 2
        w = math.exp(middle**2)
        low, high = (middle, high) if median * math.sqrt(w * (w - 1)) < sd else (low, middle)
    return low


def lognormal(rng: random.Random, median: float, sd: float) -> float:
    return rng.lognormvariate(math.log(median), sigma_of(median, sd)) if sd else median


def question(number: int, tokens: int = REFERENCE_PROMPT_TOKENS) -> ChatRequest:
    text = f"{number:<{tokens * CHARACTERS_PER_TOKEN}}"
    return ChatRequest((Message("user", text),), SamplingParams())


def measured(speed: str, requests: int, *, first_only: bool = False) -> tuple[list[float], list[float]]:
    """Times to the first token and gaps between tokens in milliseconds, as a reader sees them, one answer at a time."""

    async def main(clock: Callable[[], float]) -> tuple[list[float], list[float]]:
        provider = SimulatedProvider(Engine(SimulatorOptions(speed, seed=7), clock))
        firsts, gaps = [], []
        for number in range(requests):
            last = clock()
            stream = provider.stream(question(number), CALL)
            times = []
            async for item in stream:
                if isinstance(item, Token):
                    times.append(1000 * (clock() - last))
                    last = clock()
                if first_only:
                    await stream.aclose()
                    break
            firsts.append(times[0])
            gaps += times[1:]
        return firsts, gaps

    return run_in_virtual_time(main)


NAMED = ["fast", "8b-h100", "70b-h100", "slow-reasoning"]
EACH = ["fast", *(pytest.param(name, marks=pytest.mark.full) for name in NAMED[1:])]


@pytest.mark.parametrize("name", EACH)
def test_measured_times_to_the_first_token_follow_the_configured_distribution(name: str) -> None:
    speed, rng = SPEEDS[name], random.Random(11)
    firsts, _ = measured(name, DRAWS, first_only=True)
    reference = [lognormal(rng, speed.ttft.median, speed.ttft.sd) for _ in range(DRAWS)]
    assert distance(firsts, reference) < bound(firsts, reference)
    assert statistics.median(firsts) == pytest.approx(speed.ttft.median, rel=0.03)
    assert statistics.stdev(firsts) == pytest.approx(speed.ttft.sd, rel=0.08)


@pytest.mark.parametrize("name", EACH)
def test_measured_gaps_follow_the_configured_distribution_with_its_stalls(name: str) -> None:
    speed, rng = SPEEDS[name], random.Random(12)
    _, gaps = measured(name, 40)
    assert len(gaps) > DRAWS
    reference = []
    for _ in range(len(gaps)):
        spread = speed.stall if rng.random() < speed.stall_rate else speed.gap
        reference.append(lognormal(rng, spread.median, spread.sd))
    assert distance(gaps, reference) < bound(gaps, reference)
    assert statistics.median(gaps) == pytest.approx(speed.gap.median, rel=0.02)
    stalls = [gap for gap in gaps if gap > speed.gap.median + 10 * speed.gap.sd]
    assert 0 < len(stalls) < 4 * speed.stall_rate * len(gaps) + 3


@pytest.mark.full
def test_the_statistic_tells_another_spread_or_median_apart() -> None:
    firsts, _ = measured("8b-h100", DRAWS, first_only=True)
    rng = random.Random(13)
    for median, sd in ((100, 26), (104, 20)):
        other = [lognormal(rng, median, sd) for _ in range(DRAWS)]
        assert distance(firsts, other) > bound(firsts, other)


@pytest.mark.parametrize(("median", "sd"), [(100, 20), (12, 2), (8000, 3000), (150, 60)])
def test_the_first_figure_is_the_median_and_the_second_the_standard_deviation(median: float, sd: float) -> None:
    spread = Spread(median, sd)
    assert spread.sigma == pytest.approx(sigma_of(median, sd))


def test_the_named_speeds_are_those_that_are_promised() -> None:
    assert set(SPEEDS) == {"instant", *NAMED}
    assert (SPEEDS["8b-h100"].ttft, SPEEDS["8b-h100"].gap) == (Spread(100, 20), Spread(12, 2))
    assert (SPEEDS["70b-h100"].ttft, SPEEDS["70b-h100"].gap) == (Spread(200, 40), Spread(25, 4))


def test_instant_takes_no_time() -> None:
    firsts, gaps = measured("instant", 5)
    assert set(firsts + gaps) == {0.0}


def test_a_longer_prompt_takes_longer_by_its_tokens() -> None:
    speed = SPEEDS["70b-h100"]
    short, long = speed.ttft_for(REFERENCE_PROMPT_TOKENS), speed.ttft_for(REFERENCE_PROMPT_TOKENS + 1000)
    assert long.median - short.median == pytest.approx(1000 * speed.prefill_ms_per_token)
    assert long.sd / long.median == pytest.approx(short.sd / short.median)


def test_lengths_follow_their_distribution() -> None:
    rng = random.Random(14)
    lengths = [float(max(1, round(SPEEDS["fast"].output_tokens.draw(rng)))) for _ in range(DRAWS)]
    reference = [lognormal(rng, 150, 60) for _ in range(DRAWS)]
    assert distance(lengths, reference) < bound(lengths, reference)
