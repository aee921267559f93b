"""A stub whose capacity can be computed: a queue that is kept as numbers, and uses no CPU.

    python -m benchmarks.calibrate.stubs.queueing --servers 1 --service 0.01 [--law exponential] [--cliff 100]

A request that arrives gets the first server that is free, takes a service time, and is answered then. The service times
are `constant`, `exponential`, or the sum of four exponentials (`erlang`). With `--cliff`, requests take `--slow`
seconds while more than that number arrived per second, in the last `--window` seconds. With `--recovery`, they still do
for that many seconds.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections.abc import Callable

from benchmarks.calibrate.stubs.disturbance import Overload
from benchmarks.calibrate.stubs.server import Request, epoch_s, number_above_0, number_from_0, run, whole_number

TICK_S = 1.0
ERLANG = 4


class Queueing:
    """The stub."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._service_s = law(options.law, options.service, random.Random(options.seed))  # noqa: S311 - no secret
        self._free_at = [0.0] * options.servers
        self._overload = Overload(options.cliff, options.window)
        self._slow_s, self._recovery_s, self._slow_until = options.slow, options.recovery, 0.0
        self.routes = {"/": self._serve}

    def tick(self) -> None:
        """Do nothing: the queue changes only with requests."""

    def _serve(self, request: Request) -> None:
        now = epoch_s()
        self._overload.arrived(now)
        if self._overload.on(now):
            self._slow_until = now + self._recovery_s
        if now <= self._slow_until:
            request.answer_after(self._slow_s)
            return
        ends = max(now, self._free_at[0]) + self._service_s()
        heapq.heapreplace(self._free_at, ends)
        request.answer_after(ends - now)


def law(name: str, mean_s: float, source: random.Random) -> Callable[[], float]:
    """Return a source of service times."""
    laws: dict[str, Callable[[], float]] = {
        "constant": lambda: mean_s,
        "exponential": lambda: source.expovariate(1 / mean_s),
        "erlang": lambda: source.gammavariate(ERLANG, mean_s / ERLANG),
    }
    return laws[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=whole_number, default=1)
    parser.add_argument("--service", type=number_above_0, default=0.01, help="mean service time in seconds")
    parser.add_argument("--law", choices=("constant", "exponential", "erlang"), default="exponential")
    parser.add_argument("--cliff", type=number_above_0, default=math.inf, help="most requests a second")
    parser.add_argument("--window", type=number_above_0, default=1.0, help="seconds in which the requests are counted")
    parser.add_argument("--slow", type=number_from_0, default=1.0, help="seconds that a request takes beyond the cliff")
    parser.add_argument("--recovery", type=number_from_0, default=0.0, help="seconds that it stays slow")
    parser.add_argument("--seed", type=int, default=0)
    stub = Queueing(parser.parse_args())
    run(stub.routes, stub.tick, TICK_S)


if __name__ == "__main__":
    main()
