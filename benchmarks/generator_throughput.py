"""Requests that one core of the load generator makes: BaseUser beside plain FastHttpUser and plain HttpUser.

    python -m benchmarks.generator_throughput [--rounds 5] [--turns 100]

All three ask the same stub server, which answers at once. They take turns of 50 ms, one running while
the others are stopped (SIGSTOP), so that a machine which is now faster and now slower is so for all of them. Counted
is the CPU time of the Locust process alone; the ratio is the median of the rounds' own. The exit code is 1 below a bar.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from benchmarks.calibrate.runs import ROOT, stub_server

GENERATORS = ("BaseUser", "FastHttpUser", "HttpUser")
BARS = {"FastHttpUser": 0.95, "HttpUser": 3.0}
"""The least that BaseUser makes, as a multiple of the other."""
TURN_S = 0.05
"""Short beside the moods of a machine, long beside what it takes to stop and to go on."""
LIMIT = "15m"
"""The longest that a generator lives, should this process be killed."""


class Made(NamedTuple):
    """What a generator has done since its users ran."""

    requests: int
    cpu_s: float


class Generator:
    """One Locust process with ten users, which makes load only while it has its turn."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self._name = name
        self._process = process
        self._read()
        process.send_signal(signal.SIGSTOP)

    @classmethod
    @contextlib.contextmanager
    def started(cls, name: str, url: str) -> Iterator[Self]:
        """Start one and stop it in its tracks as soon as its users run."""
        locustfile = Path(__file__).with_name("throughput") / "locustfile.py"
        command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary"]
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "GENERATOR": name}
            process = subprocess.Popen(
                [*command, "-u", "10", "-r", "10", "-t", LIMIT, "--host", url],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            with process:
                try:
                    yield cls(name, process)
                finally:
                    process.kill()

    def turn(self) -> None:
        """Make load for a turn."""
        self._process.send_signal(signal.SIGCONT)
        time.sleep(TURN_S)
        self._process.send_signal(signal.SIGSTOP)

    def made(self) -> Made:
        """Ask for what it has done."""
        self._process.send_signal(signal.SIGUSR1)
        self._process.send_signal(signal.SIGCONT)
        made = self._read()
        self._process.send_signal(signal.SIGSTOP)
        return made

    def _read(self) -> Made:
        """The next line of figures, which it prints first when its users run."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"requests"'):
                figures = json.loads(line)
                if figures["failures"]:
                    raise SystemExit(f"{self._name}: {figures['failures']} of {figures['requests']} requests failed")
                return Made(figures["requests"], figures["cpu_s"])
        raise SystemExit(f"{self._name} ended with {self._process.wait()}")


def requests_per_cpu_s(generators: list[Generator], turns: int) -> list[float]:
    """What each made in one round."""
    before = [generator.made() for generator in generators]
    for _ in range(turns):
        for generator in generators:
            generator.turn()
    after = [generator.made() for generator in generators]
    rates = [
        (end.requests - begin.requests) / (end.cpu_s - begin.cpu_s) for begin, end in zip(before, after, strict=True)
    ]
    for name, rate in zip(GENERATORS, rates, strict=True):
        if not rate:
            raise SystemExit(f"{name} made no request")
    return rates


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=100, help="turns that each generator has in a round")
    options = parser.parse_args()
    # So that what is stopped does not stay behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    rounds = []
    with stub_server("constant") as url, contextlib.ExitStack() as running:
        generators = [running.enter_context(Generator.started(name, url)) for name in GENERATORS]
        for number in range(options.rounds):
            rounds.append(requests_per_cpu_s(generators, options.turns))
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    medians = dict(zip(GENERATORS, (statistics.median(column) for column in zip(*rounds, strict=True)), strict=True))
    for generator, rate in medians.items():
        print(f"{generator:13} {rate:8.0f} requests per CPU second")
    each = [dict(zip(GENERATORS, row, strict=True)) for row in rounds]
    ratios = {other: [row["BaseUser"] / row[other] for row in each] for other in BARS}
    for other, found in ratios.items():
        spread = f"{min(found):.2f} to {max(found):.2f}"
        print(f"BaseUser / {other:13} {statistics.median(found):5.2f} ({spread}; at least {BARS[other]:g})")
    return int(any(statistics.median(found) < BARS[other] for other, found in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())
