"""A stub that leaks, or only looks as if it did.

    python -m benchmarks.calibrate.stubs.leaky python-leak [--speed 1] [--seed 0]

Leaks: `python-leak` and `native-leak` (1 MB/min), `file-leak` (1/s), `thread-leak` and `connection-leak` (1 in 10 s).
None: `cache` (20 MB in 2 minutes, then flat), `sawtooth` (60 MB in 20 s, then freed), `step` (30 MB, once, after 1 to
4 minutes), `arena` (bursts in the C heap, which the allocator keeps), `warm-up` (20 MB, exponential, 90 s), `none`.
At `--speed 10` all of it happens ten times as fast. MB are 2**20 bytes.

GET / waits about 1 ms for a slot. GET /metrics: gauges and `wait_seconds`. GET /truth: what the stub holds by intent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import sys
import time

from benchmarks.calibrate.stubs.memory import fix_allocation, heap_bytes
from benchmarks.calibrate.stubs.modes import MODES, Held
from benchmarks.calibrate.stubs.server import Request, epoch_s, gauges, number_above_0, run, summary

TICK_S = 0.5
WAIT_S = 0.001
CONNECTIONS, CONNECTIONS_LIMIT = 5, 200


class Leaky:
    """The stub in one mode."""

    def __init__(self, mode: str, speed: float, seed: int) -> None:
        self._mode, self._speed = mode, speed
        self._held = Held(random.Random(seed))  # noqa: S311 - the same course for the same seed
        self._advance = MODES[mode].start(self._held)
        self._started_s, self._started_epoch_s = time.monotonic(), epoch_s()
        self._wait_s, self._waits = 0.0, 0
        self.routes = {"/": self._index, "/metrics": self._metrics, "/truth": self._truth}

    def tick(self) -> None:
        self._advance((time.monotonic() - self._started_s) * self._speed)

    def _index(self, request: Request) -> None:
        asyncio.get_running_loop().call_later(WAIT_S, self._admit, request, time.monotonic())

    def _admit(self, request: Request, since_s: float) -> None:
        self._wait_s += time.monotonic() - since_s
        self._waits += 1
        request.answer()

    def _metrics(self, request: Request) -> None:
        in_use, held = heap_bytes()
        values = {
            "python_allocated_blocks": sys.getallocatedblocks(),
            "heap_in_use_bytes": in_use,
            "heap_held_bytes": held,
            "connections_open": CONNECTIONS + len(self._held.connections),
            "connections_limit": CONNECTIONS_LIMIT,
        }
        request.answer(gauges(values) + summary("wait_seconds", self._wait_s, self._waits))

    def _truth(self, request: Request) -> None:
        held = self._held
        truth = {
            "mode": self._mode,
            "leaks": MODES[self._mode].leaks,
            "speed": self._speed,
            "started": self._started_epoch_s,
            "python_bytes": held.python.held_bytes,
            "native_bytes": held.native.held_bytes + held.large.held_bytes,
            "open_files": len(held.files),
            "threads": len(held.threads),
            "connections": len(held.connections),
        }
        request.answer(json.dumps(truth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--speed", type=number_above_0, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    fix_allocation()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    stub = Leaky(options.mode, options.speed, options.seed)
    run(stub.routes, stub.tick, tick_s=TICK_S / max(1.0, options.speed))


if __name__ == "__main__":
    main()
