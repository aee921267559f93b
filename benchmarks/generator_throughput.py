"""Requests that one core of the load generator makes: BaseUser beside plain FastHttpUser and plain HttpUser.

    python -m benchmarks.generator_throughput [--rounds 5] [--seconds 5]

All three ask the same stub server, which answers at once, in rounds that alternate. Counted is the CPU time of the
Locust process alone, so that what else runs on the machine matters less; the ratio is the median of the rounds' own.
The exit code is 1 below a bar.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.calibrate.runs import ROOT, stub_server

GENERATORS = ("BaseUser", "FastHttpUser", "HttpUser")
BARS = {"FastHttpUser": 0.95, "HttpUser": 3.0}
"""The least that BaseUser makes, as a multiple of the other."""


def requests_per_cpu_s(generator: str, url: str, seconds: int) -> float:
    """One run of one generator with ten users."""
    locustfile = Path(__file__).with_name("throughput") / "locustfile.py"
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary"]
    load = ["-u", "10", "-r", "10", "-t", f"{seconds}s", "--host", url]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "GENERATOR": generator}
        done = subprocess.run(
            [*command, *load], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith('{"requests"')]
    figures = json.loads(line)
    assert figures["requests"], f"{generator} made no request"
    assert not figures["failures"], f"{generator}: {figures['failures']} requests failed"
    return float(figures["requests"] / figures["cpu_s"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="length of each run")
    options = parser.parse_args()
    rounds = []
    with stub_server("constant") as url:
        for number in range(options.rounds):
            rounds.append([requests_per_cpu_s(generator, url, options.seconds) for generator in GENERATORS])
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    medians = dict(zip(GENERATORS, (statistics.median(column) for column in zip(*rounds, strict=True)), strict=True))
    for generator, rate in medians.items():
        print(f"{generator:13} {rate:8.0f} requests per CPU second")
    each = [dict(zip(GENERATORS, row, strict=True)) for row in rounds]
    ratios = {other: statistics.median(row["BaseUser"] / row[other] for row in each) for other in BARS}
    for other, ratio in ratios.items():
        print(f"BaseUser / {other:13} {ratio:5.2f} (at least {BARS[other]:g})")
    return int(any(ratio < BARS[other] for other, ratio in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())
