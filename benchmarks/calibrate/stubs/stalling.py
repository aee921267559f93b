"""A stub with stalls in which all requests are slow, for the proof of intervals with a design effect.

    python -m benchmarks.calibrate.stubs.stalling --rate 50 [--design-effect 10] [--quantile 0.95] [--seed 0]

The stalls are of the length that gives the quantile this design effect if `--rate` requests arrive in a second. The
process and its true quantiles are those of `stalls.py`, which makes the same without a server.

GET /truth gives the process, the true p50, p95 and p99, and how many of the requests were above the quantile.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import asdict

from benchmarks.calibrate.stubs.server import Request, epoch_s, number_above_0, number_from_0, run
from benchmarks.calibrate.stubs.stalls import Stalls

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Stalling:
    """The stub; a request's latency is decided when it arrives."""

    def __init__(self, stalls: Stalls, rate_per_s: float, quantile: float, seed: int) -> None:
        self._stalls, self._rate_per_s, self._quantile = stalls, rate_per_s, quantile
        self._limit_ms = stalls.quantile_ms(quantile)
        self._requests = self._above = 0
        self._latencies_ms = stalls.latencies_ms(
            _now(epoch_s()),
            random.Random(seed),  # noqa: S311 - the same stalls for the same seed
        )
        self.routes = {"/": self._serve, "/truth": self._truth}

    def _serve(self, request: Request) -> None:
        latency_ms = next(self._latencies_ms)
        self._requests += 1
        self._above += latency_ms > self._limit_ms
        request.answer_after(latency_ms / 1000)

    def _truth(self, request: Request) -> None:
        truth = {
            "stalls": asdict(self._stalls),
            "rate_per_s": self._rate_per_s,
            "quantile": self._quantile,
            "design_effect": self._stalls.design_effect(self._rate_per_s, self._quantile),
            "quantiles_ms": {
                f"p{100 * quantile:g}": self._stalls.quantile_ms(quantile) for quantile in (0.5, 0.95, 0.99)
            },
            "requests": self._requests,
            "above": self._above,
        }
        request.answer(json.dumps(truth))


def _now(since_s: float) -> Iterator[float]:
    while True:
        yield epoch_s() - since_s


def between_0_and_1(text: str) -> float:
    """Return a number above 0 and below 1; a type for argparse."""
    if not 0 < (number := number_from_0(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return number


def above_1(text: str) -> float:
    """Return a number above 1; a type for argparse."""
    if (number := number_from_0(text)) <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 1")
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=number_above_0, required=True, help="requests per second that will arrive")
    parser.add_argument("--design-effect", type=above_1, default=10.0)
    parser.add_argument("--quantile", type=between_0_and_1, default=0.95)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    stalls = Stalls.with_design_effect(options.design_effect, options.rate, options.quantile)
    run(Stalling(stalls, options.rate, options.quantile, options.seed).routes)


if __name__ == "__main__":
    main()
