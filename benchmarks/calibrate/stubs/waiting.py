"""A stub with a pool of slots and one cause of slowness at a time, for the proof of attribution.

    python -m benchmarks.calibrate.stubs.waiting pool [--slots 20] [--hold 0.02] [--taken 19]

A request takes a slot of the pool for `--hold` seconds, and waits while none is free. For N seconds after
GET /disturb?for=N there is a cause of slowness:

- `pool`: a job holds `--taken` slots;
- `outside`: each request sleeps `--sleep` seconds first, which no metric shows;
- `burn`: each request computes for `--burn` seconds, in which nothing else is served;
- `none`: nothing.

GET /metrics: `pool_wait_seconds`, `pool_in_use`, `pool_limit`, `pool_waiting`. GET /truth: when the cause `began` and
`ended` in epoch seconds, and how many seconds requests waited, slept and computed in total.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import deque

from benchmarks.calibrate.stubs.server import (
    Request,
    epoch_s,
    gauges,
    number_above_0,
    number_from_0,
    run,
    summary,
    whole_number,
)

CAUSES = ("pool", "outside", "burn", "none")


class Pool:
    """Slots that requests take in the order of their arrival, and the seconds they waited for them."""

    def __init__(self, slots: int) -> None:
        self.slots, self.taken = slots, 0
        self.serving = 0
        self.wait_s, self.waits = 0.0, 0
        self._queue: deque[tuple[asyncio.Future[None], float]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def in_use(self) -> int:
        return min(self.slots, self.serving + self.taken)

    def acquire(self) -> asyncio.Future[None]:
        """Return a future that is done once the caller has a slot."""
        admitted = asyncio.get_running_loop().create_future()
        self._queue.append((admitted, time.monotonic()))
        self.admit()
        return admitted

    def release(self) -> None:
        self.serving -= 1
        self.admit()

    def admit(self) -> None:
        while self._queue and self.serving + self.taken < self.slots:
            admitted, since_s = self._queue.popleft()
            self.serving += 1
            self.wait_s += time.monotonic() - since_s
            self.waits += 1
            admitted.set_result(None)


class Waiting:
    """The stub."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._pool = Pool(options.slots)
        self._end: asyncio.TimerHandle | None = None
        self._began: float | None = None
        self._ended: float | None = None
        self._slept_s = self._burnt_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.routes = {"/": self._start, "/disturb": self._disturb, "/metrics": self._metrics, "/truth": self._truth}

    def _caused(self, cause: str) -> bool:
        return self._end is not None and self._options.cause == cause

    def _start(self, request: Request) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: Request) -> None:
        if self._caused("outside"):
            self._slept_s += self._options.sleep
            await asyncio.sleep(self._options.sleep)
        await self._pool.acquire()
        if self._caused("burn"):
            self._burnt_s += self._options.burn
            _burn(self._options.burn)
        await asyncio.sleep(self._options.hold)
        self._pool.release()
        request.answer()

    def _disturb(self, request: Request) -> None:
        for_s = request.seconds("for")
        if self._end is not None:
            self._end.cancel()
        else:
            self._began, self._ended = epoch_s(), None
        self._end = asyncio.get_running_loop().call_later(for_s, self._stop)
        self._pool.taken = self._options.taken if self._caused("pool") else 0
        request.answer()

    def _stop(self) -> None:
        self._end, self._ended = None, epoch_s()
        self._pool.taken = 0
        self._pool.admit()

    def _metrics(self, request: Request) -> None:
        pool = self._pool
        values = {"pool_in_use": pool.in_use, "pool_limit": pool.slots, "pool_waiting": pool.waiting}
        request.answer(gauges(values) + summary("pool_wait_seconds", pool.wait_s, pool.waits))

    def _truth(self, request: Request) -> None:
        truth = {
            "cause": self._options.cause,
            "began": self._began,
            "ended": self._ended,
            "waited_s": self._pool.wait_s,
            "waits": self._pool.waits,
            "slept_s": self._slept_s,
            "burnt_s": self._burnt_s,
        }
        request.answer(json.dumps(truth))


def _burn(seconds: float) -> None:
    """Compute until this thread has used so much CPU time."""
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cause", choices=CAUSES)
    parser.add_argument("--slots", type=whole_number, default=20)
    parser.add_argument("--hold", type=number_from_0, default=0.02, help="seconds in a slot")
    parser.add_argument("--taken", type=whole_number, default=19, help="slots that the job of `pool` holds")
    parser.add_argument("--sleep", type=number_above_0, default=0.3, help="seconds of `outside`")
    parser.add_argument("--burn", type=number_above_0, default=0.02, help="CPU seconds of `burn`")
    run(Waiting(parser.parse_args()).routes)


if __name__ == "__main__":
    main()
