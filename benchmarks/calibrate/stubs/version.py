"""A stub of one version of a service, for the proof that two versions are compared correctly.

    python -m benchmarks.calibrate.stubs.version [--slower 0.1] [--slower-tail 0.1] [--late 0.03] [--slower-half 0.2]

A request takes a lognormal time (`--median`, `--sigma`). A changed version differs in one of these ways:

- `--slower`: all requests take longer by this share.
- `--slower-tail`: the slowest 8 % take longer by this share.
- `--late`: this share of the requests takes 200 ms longer.
- `--slower-half`: the slower half takes longer by this share, so there are two modes, and the p50 stays as it was.
- `--failures`: this share of the requests gets status 500.
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass
from statistics import NormalDist

from benchmarks.calibrate.stubs.server import Request, number_above_0, number_from_0, run, share

TAIL = 0.08
LATE_S = 0.2
_HALF_Z = NormalDist().inv_cdf(0.51)
"""Just above the median, so that the p50 of a run is the same with two modes."""

_TAIL_Z = NormalDist().inv_cdf(1 - TAIL)


@dataclass(frozen=True, slots=True)
class Version:
    """The distribution of the times of a version, in seconds, and its share of failures."""

    median_s: float = 0.05
    sigma: float = 0.3
    slower: float = 0.0
    slower_tail: float = 0.0
    late: float = 0.0
    slower_half: float = 0.0
    failures: float = 0.0

    def time_s(self, rnd: random.Random) -> float:
        """Return the time of one request."""
        z = rnd.gauss(0, 1)
        seconds = self.median_s * math.exp(self.sigma * z) * (1 + self.slower)
        if z > _HALF_Z:
            seconds *= 1 + self.slower_half
        if z > _TAIL_Z:
            seconds *= 1 + self.slower_tail
        return seconds + (LATE_S if rnd.random() < self.late else 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = Version()
    parser.add_argument("--median", type=number_above_0, default=usual.median_s, dest="median_s")
    parser.add_argument("--sigma", type=number_above_0, default=usual.sigma)
    for name in ("slower", "slower-tail", "slower-half"):
        parser.add_argument(f"--{name}", type=number_from_0, default=0.0)
    for name in ("late", "failures"):
        parser.add_argument(f"--{name}", type=share, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args())
    rnd = random.Random(options.pop("seed"))  # noqa: S311 - the same times for the same seed
    version = Version(**options)

    def serve(request: Request) -> None:
        request.answer_after(version.time_s(rnd), status=500 if rnd.random() < version.failures else 200)

    run({"/": serve})


if __name__ == "__main__":
    main()
