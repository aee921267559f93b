"""The arrivals of a worker in an open model. It starts them only while its master confirms its share.

The master gives each arrival to one worker (`loadgate.generator.arrival_shares`). It can take a share away from a
worker that it cannot reach, so a worker needs a lease (Gray and Cheriton, Leases, 1989): each second it asks its
master, and an answer allows arrivals until LEASE_S after the question. A worker that was paused or is cut off then
starts no arrival that another worker has taken over.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import HEARTBEAT_INTERVAL, HEARTBEAT_LIVENESS, WorkerRunner

from loadgate.generator.active_run import ActiveRun
from loadgate.generator.clocks import MasterClock
from loadgate.generator.pacer import Pacer
from loadgate.shape.arrivals import ArrivalSchedule, RateSegment
from loadgate.shape.shares import WorkerShare

ARRIVALS = "loadgate_arrivals"
"""Master to worker: start your share of the arrivals. Data: see `ArrivalShares`."""
ARRIVING = "loadgate_arriving"
"""Worker to master: the share was received. Data: {"epoch"}."""
HOLD = "loadgate_hold"
"""Master to worker: start no arrival from this index of the schedule on. Data: {"epoch", "index"}."""
HELD = "loadgate_held"
"""Worker to master: it stops at this index, which can be higher. Data: {"epoch", "index"}."""
LEASE = "loadgate_lease"
"""Worker to master: confirm my share of this epoch. Master to worker: confirmed. Data: {"epoch", "asked_s"}."""

USERS = "loadgate_users"
"""Worker to master, until its arrivals start: its users, and how many wait for one. Data: {"users", "free"}."""

NO_SHARE = -1
"""The epoch of a worker that has no share yet."""

LEASE_S = float(HEARTBEAT_LIVENESS * HEARTBEAT_INTERVAL)
"""Time for which an answer of the master allows arrivals, counted from the question. Locust needs longer to consider a
worker missing."""


class WorkerArrivals:
    """The arrivals of one worker, for one run after the other."""

    def __init__(self, runner: WorkerRunner, current: Callable[[], ActiveRun | None], clock: MasterClock) -> None:
        self._runner = runner
        self._current = current
        self._clock = clock
        self._epoch = NO_SHARE
        self._lease_until_s = 0.0
        # Concurrent, so that Locust's greenlet has set the target when both messages arrive at once.
        runner.register_message(ARRIVALS, self._on_arrivals, concurrent=True)
        runner.register_message(HOLD, self._on_hold, concurrent=True)
        runner.register_message(LEASE, self._on_lease)

    def begin(self, pacer: Pacer) -> None:
        """Start a run. The worker has no share yet."""
        self._epoch, self._lease_until_s = NO_SHARE, 0.0
        gevent.spawn(self._renew, pacer)

    def _renew(self, pacer: Pacer) -> None:
        while not pacer.is_over:
            if not pacer.has_started:
                self._send(USERS, {"users": self._runner.user_count, "free": pacer.free_users})
            self._ask()
            gevent.sleep(HEARTBEAT_INTERVAL)

    def _ask(self) -> None:
        self._send(LEASE, {"epoch": self._epoch, "asked_s": time.perf_counter()})

    def _send(self, kind: str, data: dict[str, Any]) -> None:
        # If Locust cannot send the message, the next one follows.
        with contextlib.suppress(RPCError):
            self._runner.send_message(kind, data)

    def _has_lease(self) -> bool:
        return time.perf_counter() < self._lease_until_s

    def _on_arrivals(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        active, data = self._current(), msg.data
        if active is None or active.pacer is None or active.pacer.is_over:
            return
        if data["epoch"] > self._epoch:
            self._epoch = data["epoch"]
            self._take_share(active, active.pacer, data)
            self._ask()
        self._runner.send_message(ARRIVING, {"epoch": self._epoch})

    def _take_share(self, active: ActiveRun, pacer: Pacer, data: dict[str, Any]) -> None:
        share = WorkerShare(data["worker"], data["workers"], data["first"])
        # Arrivals of a class that gets no users on this worker would wait forever. On a busy machine, users that are
        # due may not have started yet.
        here = {name for name, count in self._runner.target_user_classes_count.items() if count}
        weights = {name: weight for name, weight in data["weights"].items() if name in here}
        if pacer.has_started:
            pacer.take_over(share, weights, keeps_old_share=data["keeps_old_share"])
            return
        # A message that was long on its way must not move the schedule of this worker.
        elapsed_s = data["elapsed_s"] + (max(0.0, self._clock.now_s() - data["sent_s"]) if self._clock.is_known else 0)
        active.run.schedule_stages((after_s - elapsed_s, label) for after_s, label in data["marks"])
        segments = [RateSegment(first, last, float("inf") if s is None else s) for first, last, s in data["segments"]]
        schedule = ArrivalSchedule(tuple(segments))
        pacer.start(
            schedule,
            share,
            weights,
            data["until_s"],
            elapsed_s=elapsed_s,
            may_start=self._has_lease,
            skip_after_s=LEASE_S,
        )

    def _on_lease(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        if msg.data["epoch"] == self._epoch:
            self._lease_until_s = max(self._lease_until_s, msg.data["asked_s"] + LEASE_S)

    def _on_hold(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        active = self._current()
        # A worker that has not taken the share yet cannot promise anything, and is left out.
        if active is not None and active.pacer is not None and msg.data["epoch"] == self._epoch:
            index = active.pacer.hold(msg.data["index"])
            self._runner.send_message(HELD, {"epoch": msg.data["epoch"], "index": index})
