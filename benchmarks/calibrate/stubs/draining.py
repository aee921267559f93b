"""A stub of a queue that a disturbance fills and that drains afterwards, for the proof of recovery times.

    python -m benchmarks.calibrate.stubs.draining --tau 20 [--overload 60] [--peak 0.5] [--failures 0.1]

A request takes a service time (lognormal, `--base` and `--sigma`) and the delay that the disturbance adds when it
arrives. A disturbance is on while more than `--overload` requests arrive in a second, and for N seconds after
GET /disturb?for=N. With `--peak 0` it slows nothing: a disturbance to which the recovery time is 0. `--failures` is
the share of the requests that get 500 while it is on.

GET /truth?below=0.05 gives the schedule in epoch seconds: `began`, `ended` (the last one), and `calm_from`, the moment
from which the added delay stays at or below 50 ms; `null` for never or not yet. The 95th percentile of the service time
without a disturbance is `base_p95_s`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from statistics import NormalDist

from benchmarks.calibrate.stubs.disturbance import Disturbance, Drain, Overload
from benchmarks.calibrate.stubs.server import Request, epoch_s, number_above_0, number_from_0, run, share

TICK_S = 0.05
"""How late the end of a disturbance can be noticed; the truth gives the moment at which it was."""


class Draining:
    """The stub; `commanded_until` is the end of the disturbance that a client asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._rnd = random.Random(options.seed)  # noqa: S311 - the same times for the same seed
        self._base_s, self._sigma, self._failures = options.base, options.sigma, options.failures
        self._disturbance = Disturbance(Drain(options.peak, options.build, options.tau))
        self._overload = Overload(options.overload)
        self._commanded_until = 0.0
        self._requests = self._failed = 0
        self.routes = {"/": self._serve, "/disturb": self._disturb, "/truth": self._truth}

    def tick(self) -> None:
        self._turn(epoch_s())

    def _turn(self, now: float) -> None:
        self._disturbance.turn(now, on=now < self._commanded_until or self._overload.on(now))

    def _serve(self, request: Request) -> None:
        now = epoch_s()
        self._overload.arrived(now)
        self._turn(now)
        fails = self._disturbance.on and self._rnd.random() < self._failures
        self._requests += 1
        self._failed += fails
        served_s = self._rnd.lognormvariate(math.log(self._base_s), self._sigma)
        request.answer_after(served_s + self._disturbance.added_s(now), status=500 if fails else 200)

    def _disturb(self, request: Request) -> None:
        now = epoch_s()
        self._commanded_until = now + request.seconds("for")
        self._turn(now)
        request.answer()

    def _truth(self, request: Request) -> None:
        self._turn(epoch_s())
        truth = self._disturbance.truth(request.seconds("below", 0.0)) | {
            "base_p95_s": self._base_s * math.exp(NormalDist().inv_cdf(0.95) * self._sigma),
            "requests": self._requests,
            "failed": self._failed,
        }
        request.answer(json.dumps(truth))


def tau(text: str) -> float:
    """Return seconds above 0, `math.inf` for `never`; a type for argparse."""
    return math.inf if text == "never" else number_above_0(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tau", type=tau, required=True, help="seconds to drain to 1/e, or never")
    parser.add_argument("--peak", type=number_from_0, default=0.5, help="the most that is added, in seconds")
    parser.add_argument("--build", type=number_above_0, default=5.0, help="seconds until the peak")
    parser.add_argument("--overload", type=number_above_0, default=math.inf, help="most requests a second")
    parser.add_argument("--failures", type=share, default=0.0)
    parser.add_argument("--base", type=number_above_0, default=0.02, help="median service time in seconds")
    parser.add_argument("--sigma", type=number_from_0, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    stub = Draining(parser.parse_args())
    run(stub.routes, stub.tick, TICK_S)


if __name__ == "__main__":
    main()
