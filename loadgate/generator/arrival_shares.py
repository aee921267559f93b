"""The master's side of an open model: it gives each arrival of the schedule to one worker.

Each worker gets a share. If the set of workers changes, the master assigns the rest of the schedule again:

1. It waits until no worker that is left out can start arrivals, because its lease has ended (`worker_arrivals`).
2. The other workers promise at which index of the schedule they stop (HOLD, HELD).
3. From the highest of these indices on, the workers get new shares. Up to it, they keep their old ones.

The arrivals of a lost worker before that index are started by nobody. They count as never started.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import gevent
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_MISSING, MasterRunner

from loadgate.generator.report_delivery import GRACE_S
from loadgate.generator.worker_arrivals import ARRIVALS, ARRIVING, HELD, HOLD, LEASE, LEASE_S, USERS
from loadgate.run.state import Run
from loadgate.shape.arrivals import ArrivalEvent, ArrivalSchedule
from loadgate.shape.stages import open_stage_starts

LEAD_S = 1.0
"""A new share starts this long after its assignment, so that no worker has to wait for it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Started:
    """A schedule that has started."""

    schedule: ArrivalSchedule
    weights: Mapping[str, float]
    until_s: float | None
    began_s: float

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began_s


class ArrivalShares:
    """The shares of the workers in the arrivals of one run after the other."""

    def __init__(self, runner: MasterRunner, has_users: Callable[[str], bool]) -> None:
        self._runner = runner
        self._has_users = has_users
        self._started: _Started | None = None
        self._epoch = 0
        self._members: dict[str, dict[str, Any]] = {}
        """The workers with a share, and their shares in the form of ARRIVALS."""
        self._arriving: set[str] = set()
        self._held: dict[str, int] = {}
        self._answered_s: dict[str, float] = {}
        self._ready_s: dict[str, float] = {}
        """The monotonic time at which a worker last said that all of its users wait for an arrival."""
        self._change = gevent.Greenlet()
        runner.register_message(ARRIVING, self._on_arriving)
        runner.register_message(HELD, self._on_held)
        runner.register_message(LEASE, self._on_lease)
        runner.register_message(USERS, self._on_users)

    def are_users_ready(self, since_s: float) -> bool:
        """Return whether each worker has said since then (monotonic time) that all of its users wait for an arrival."""
        return all(self._ready_s.get(worker, -math.inf) > since_s for worker in self._workers_with_users())

    def start(self, schedule: ArrivalSchedule, weights: Mapping[str, float], until_s: float | None) -> None:
        """Start each worker's share of the arrivals, and wait until all have received it."""
        self._started = _Started(schedule, weights, until_s, time.monotonic())
        self._assign(self._started, self._workers_with_users(), first=0, old_shares=())

    def check(self, run: Run) -> None:
        """Assign the rest of the schedule again if other workers have users now. Call it every second."""
        started = self._started
        if started is None or run.is_stopped or self._change or not self._runner.spawning_completed:
            return
        if set(self._workers_with_users()) != self._members.keys():
            self._change = gevent.spawn(self._assign_again, started)

    def finish(self, run: Run) -> None:
        """Count the arrivals that no worker has handed out. Call it after the final reports have arrived."""
        self._change.kill()
        if self._started is None or run.plan.arrivals is None:
            return
        handed_out = sum(worker.arrivals for worker in run.workers.known.values())
        lost = run.plan.arrivals.count_before(run.elapsed_s) - handed_out
        if lost > 0:
            run.recorder.count(ArrivalEvent.NEVER_STARTED, lost)
            run.recorder.count(ArrivalEvent.OF_LOST_WORKERS, lost)
        self._started = None

    def _workers_with_users(self) -> list[str]:
        """Return the ids of the workers with users, because only these can start arrivals, or else of all workers."""
        there = sorted(client.id for client in self._runner.clients.all if client.state != STATE_MISSING)
        return [client_id for client_id in there if self._has_users(client_id)] or there

    def _assign_again(self, started: _Started) -> None:
        workers = self._workers_with_users()
        left_out = self._members.keys() - workers
        old = self._members.keys() - left_out
        for client_id in left_out:
            del self._members[client_id]
        self._wait(lambda: all(map(self._lease_has_ended, left_out)), LEASE_S + GRACE_S)
        # From here on, the lease of a worker that does not answer is not renewed.
        self._members, self._held = {}, {}
        cut = started.schedule.count_before(started.elapsed_s + LEAD_S)
        for client_id in old:
            self._runner.send_message(HOLD, {"epoch": self._epoch, "index": cut}, client_id)
        self._wait(lambda: self._held.keys() >= old, LEASE_S + GRACE_S)
        present = [client_id for client_id in workers if client_id not in old or client_id in self._held]
        first = max([cut, *self._held.values()])
        self._assign(started, present, first=first, old_shares=old)
        logger.info("assigned the arrivals from number %d on to %d workers", first, len(present))

    def _lease_has_ended(self, client_id: str) -> bool:
        return time.monotonic() >= self._answered_s.get(client_id, -math.inf) + LEASE_S

    def _assign(self, started: _Started, workers: list[str], *, first: int, old_shares: Collection[str]) -> None:
        self._epoch += 1
        shared: dict[str, Any] = {
            "epoch": self._epoch,
            "segments": [
                [item.first, item.last, item.duration_s if math.isfinite(item.duration_s) else None]
                for item in started.schedule.segments
            ],
            "marks": [list(mark) for mark in open_stage_starts(started.schedule)],
            "weights": dict(started.weights),
            "until_s": started.until_s,
            "first": first,
            "workers": len(workers),
        }
        self._arriving.clear()
        self._members = {
            client_id: shared | {"worker": number, "keeps_old_share": client_id in old_shares}
            for number, client_id in enumerate(workers)
        }
        for client_id in workers:
            self._send_share(started, client_id)
        self._wait(lambda: self._arriving.issuperset(workers), GRACE_S)

    def _send_share(self, started: _Started, client_id: str) -> None:
        when = {"elapsed_s": started.elapsed_s, "sent_s": time.time()}
        self._runner.send_message(ARRIVALS, self._members[client_id] | when, client_id)

    @staticmethod
    def _wait(condition: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not condition() and time.monotonic() < deadline:
            gevent.sleep(0.01)

    def _on_arriving(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        if msg.data["epoch"] == self._epoch:
            self._arriving.add(msg.node_id)

    def _on_users(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        is_ready = msg.data["free"] >= msg.data["users"]
        self._ready_s[msg.node_id] = time.monotonic() if is_ready else -math.inf

    def _on_held(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        if msg.data["epoch"] == self._epoch:
            self._held[msg.node_id] = msg.data["index"]

    def _on_lease(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        client_id = msg.node_id
        client = self._runner.clients.get(client_id)
        if client is None or client.state == STATE_MISSING:
            return
        if msg.data["epoch"] == self._epoch:
            if client_id in self._members or client_id in self._held:
                self._answered_s[client_id] = time.monotonic()
                self._runner.send_message(LEASE, msg.data, client_id)
        elif client_id in self._members and self._started is not None:
            # The message with its share was lost.
            self._send_share(self._started, client_id)
