"""Compares the requests per CPU second of a BaseUser with those of a plain FastHttpUser and a plain HttpUser.

    python -m benchmarks.generator_throughput [--rounds 5] [--turns 100]

All three send requests to the same stub server, which answers immediately. They run in alternating slices of 50 ms;
the other two are stopped meanwhile (SIGSTOP), so changes in the machine's speed affect all of them equally. Only the
CPU time of the Locust process counts. The result is the median ratio of the rounds. The exit code is 1 below a limit.
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

from benchmarks.calibrate.stubs.started import ROOT, started

GENERATORS = ("BaseUser", "FastHttpUser", "HttpUser")
BARS = {"FastHttpUser": 1.2, "HttpUser": 4.0}
"""Lowest acceptable ratio of BaseUser to the other class."""
TURN_S = 0.05
"""Short compared with changes in the machine's speed, long compared with the time to stop and continue a process."""
LIMIT = "15m"
"""Run time of a generator, in case this process is killed and cannot stop it."""


class Made(NamedTuple):
    """Requests and CPU time of a generator since its users started."""

    requests: int
    cpu_s: float


class Generator:
    """One Locust process with ten users. It runs only during its slices."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self._name = name
        self._process = process
        self._read()
        process.send_signal(signal.SIGSTOP)

    @classmethod
    @contextlib.contextmanager
    def started(cls, name: str, url: str) -> Iterator[Self]:
        """Start a generator, and pause it as soon as its users have started."""
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
        """Run for one slice."""
        self._process.send_signal(signal.SIGCONT)
        time.sleep(TURN_S)
        self._process.send_signal(signal.SIGSTOP)

    def made(self) -> Made:
        """Return its totals."""
        self._process.send_signal(signal.SIGUSR1)
        self._process.send_signal(signal.SIGCONT)
        made = self._read()
        self._process.send_signal(signal.SIGSTOP)
        return made

    def _read(self) -> Made:
        """Read its next line of totals. It prints the first one when its users have started."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"requests"'):
                figures = json.loads(line)
                if figures["failures"]:
                    raise SystemExit(f"{self._name}: {figures['failures']} of {figures['requests']} requests failed")
                return Made(figures["requests"], figures["cpu_s"])
        raise SystemExit(f"{self._name} ended with {self._process.wait()}")


def requests_per_cpu_s(generators: list[Generator], turns: int) -> list[float]:
    """Run one round and return the requests per CPU second of each generator."""
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
    parser.add_argument("--turns", type=int, default=100, help="slices of each generator in a round")
    options = parser.parse_args()
    # Terminate through the context managers, so no paused process stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    rounds = []
    with started("benchmarks.calibrate.server", "constant") as server, contextlib.ExitStack() as running:
        generators = [running.enter_context(Generator.started(name, server.url)) for name in GENERATORS]
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
