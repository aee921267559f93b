"""Say for which workers a master waits. Locust says it only at the log level INFO, which `loadgate run` hides."""

from __future__ import annotations

import sys
import time
from argparse import Namespace

import gevent
from locust.runners import MasterRunner

from loadgate.units import count, duration

QUIET_S = 5.0
"""Workers that connect within this time need no message."""
POLL_S = 0.1


def say_awaited(runner: MasterRunner, options: Namespace) -> None:
    """Print on standard error how many workers have connected, whenever it changes, until all have.

    Workers of `--processes` start together with the master, so nothing is printed for them.
    """
    if not options.processes:
        gevent.spawn(_say, runner, options.expect_workers or 0, options.expect_workers_max_wait or 0)


def _say(runner: MasterRunner, expected: int, within_s: float) -> None:
    began, said = time.monotonic(), -1
    while (ready := len(runner.clients.ready)) < expected:
        waited_s = time.monotonic() - began
        connected = f"loadgate: {count(ready)} of {count(expected)} workers have connected"
        if within_s and waited_s >= within_s:
            print(f"{connected} within {duration(within_s)}; see their logs", file=sys.stderr, flush=True)
            return
        if waited_s >= QUIET_S and ready != said:
            at_most = f" for at most {duration(within_s)}" if within_s else ""
            port = runner.master_bind_port
            print(f"{connected} to port {port}; waiting{at_most}", file=sys.stderr, flush=True)
            said = ready
        gevent.sleep(POLL_S)
