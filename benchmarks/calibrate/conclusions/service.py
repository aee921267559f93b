"""A simulated service: one event loop, a pool of database connections, Redis, and one cause of slowness at a time.

Requests of `auth` use Redis and the database, requests of `health` only the event loop. All times are those that a real
service can measure: a wait ends when the event loop runs its task again.
"""

from __future__ import annotations

import random
from collections import defaultdict
from enum import StrEnum

from benchmarks.calibrate.conclusions.events import Simulation, Slots, Task
from loadgate.analysis.causes.attribution import Attribution, explain
from loadgate.analysis.causes.usual import MeasuredTarget
from loadgate.analysis.causes.waits import Wait, WaitKind
from loadgate.analysis.traffic import Span, Traffic
from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit

START_S = 1_700_000_000
LENGTH_S = 150
RAMP_S = 5
SLOW_S = (70, 90)
CONNECTIONS = 20
PROBE_S = 0.02
HOG_S = 0.003

POOL = Wait("database", "wait", "waiting for a database connection", held="connections")
DATABASE = Wait("database", "statement", "waiting for the database")
REDIS = Wait("redis", "operation", "waiting for Redis")
LOOP = Wait("api", "event_loop_lag", "waiting for the event loop", WaitKind.LAG)
CPU = Wait("api", "cpu_wait", "waiting for a CPU", WaitKind.CPU)
WAITS = (POOL, DATABASE, REDIS, LOOP, CPU)


class Cause(StrEnum):
    """What makes requests slow between SLOW_S."""

    POOL = "a job takes 19 of 20 connections"
    DATABASE = "slow statements"
    REDIS = "slow Redis"
    BLOCK = "the event loop is blocked for 50 ms at a time"
    HOG = "other processes use the CPU"
    OUTSIDE = "a delay outside the target"
    NONE = "nothing"


TRUTH: dict[Cause, Wait | None] = {
    Cause.POOL: POOL,
    Cause.DATABASE: DATABASE,
    Cause.REDIS: REDIS,
    Cause.BLOCK: LOOP,
    Cause.HOG: CPU,
    Cause.OUTSIDE: None,
    Cause.NONE: None,
}


class SimulatedService:
    """The service, the load on it, and what is measured of both."""

    def __init__(self, cause: Cause, seed: int) -> None:
        self.recorder = Recorder()
        self.record = ResourceRecord()
        self._cause = cause
        self._rnd = random.Random(seed)  # noqa: S311 - the same times for the same seed
        self._simulation = Simulation()
        self._loop, self._pool = Slots(1), Slots(CONNECTIONS)
        self._sums: defaultdict[tuple[str, str], defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
        self._run()

    @property
    def groups(self) -> list[Traffic]:
        return [
            Traffic(group, self.recorder.time_slots(group), in_flight=self.recorder.in_flight(group))
            for group in self.recorder.groups()
        ]

    @property
    def overall(self) -> Traffic:
        return Traffic("overall", self.recorder.time_slots(), in_flight=self.recorder.in_flight())

    @property
    def target(self) -> MeasuredTarget:
        return MeasuredTarget(self.record, WAITS, {"api": 1.0})

    def _run(self) -> None:
        for group, rate_per_s in (("auth", 25), ("health", 25)):
            at_s = 0.0
            while (at_s := at_s + self._rnd.expovariate(rate_per_s)) < LENGTH_S:
                self._simulation.start(self._auth(at_s) if group == "auth" else self._health(at_s), at_s)
        self._simulation.start(self._probe())
        self._simulation.start(self._disturb(), SLOW_S[0])
        self._simulation.run(LENGTH_S)
        self._write_record()

    def _is(self, cause: Cause) -> bool:
        return self._cause is cause and SLOW_S[0] <= self._simulation.now < SLOW_S[1]

    def _auth(self, due_s: float) -> Task:
        yield from self._outside()
        yield from self._compute(0.002)
        yield from self._wait_for(REDIS, 0.02 if self._is(Cause.REDIS) else 0.001)
        since_s = self._simulation.now
        yield self._pool
        yield from self._resume(POOL, since_s)
        for _ in range(2):
            yield from self._wait_for(DATABASE, 0.04 if self._is(Cause.DATABASE) else 0.01)
        self._simulation.release(self._pool)
        yield from self._compute(0.001)
        self._finish("auth", due_s)

    def _health(self, due_s: float) -> Task:
        yield from self._outside()
        yield from self._compute(0.001)
        self._finish("health", due_s)

    def _outside(self) -> Task:
        yield 0.0005 + (self._rnd.expovariate(1 / 0.06) if self._is(Cause.OUTSIDE) else 0.0)

    def _compute(self, cpu_s: float) -> Task:
        yield self._loop
        yield from self._on_loop(cpu_s)

    def _on_loop(self, cpu_s: float) -> Task:
        """Use the CPU while the task holds the loop, and free the loop."""
        used_s = cpu_s * self._rnd.lognormvariate(0, 0.3)
        ready_s = self._rnd.expovariate(1 / 0.00005)
        if self._is(Cause.HOG):
            # The thread is put behind another one when it wakes up, and gets half of a core.
            ready_s += used_s + self._rnd.expovariate(1 / HOG_S)
        yield used_s + ready_s
        self._add("api", "cpu", used_s)
        self._add("api", "cpu_wait.sum", ready_s)
        self._simulation.release(self._loop)

    def _wait_for(self, wait: Wait, mean_s: float) -> Task:
        since_s = self._simulation.now
        yield mean_s * self._rnd.lognormvariate(-0.08, 0.4)
        yield from self._resume(wait, since_s)

    def _resume(self, wait: Wait, since_s: float) -> Task:
        """Wait until the loop runs the task again, which is when the service sees the end of the wait."""
        yield self._loop
        self._add(wait.resource, f"{wait.quantity}.sum", self._simulation.now - since_s)
        self._add(wait.resource, f"{wait.quantity}.count", 1)
        yield from self._on_loop(0.0003)

    def _probe(self) -> Task:
        """Measure the lag of the loop with a timer."""
        while True:
            yield PROBE_S
            due_s = self._simulation.now
            yield self._loop
            self._add("api", "event_loop_lag.sum", self._simulation.now - due_s)
            self._add("api", "event_loop_lag.count", 1)
            self._simulation.release(self._loop)

    def _disturb(self) -> Task:
        if self._is(Cause.POOL):
            self._pool.number = 1
        while self._is(Cause.BLOCK):
            yield self._rnd.uniform(0.05, 0.15)
            yield self._loop
            yield 0.05
            self._add("api", "cpu", 0.05)
            self._simulation.release(self._loop)
        yield SLOW_S[1] - self._simulation.now
        self._pool.number = CONNECTIONS
        self._simulation.admit(self._pool)

    def _finish(self, group: str, due_s: float) -> None:
        now_s = self._simulation.now
        self.recorder.record(
            FinishedRequest(group, Outcome.SUCCESS, START_S + due_s, (now_s - due_s) * 1000, group=group)
        )

    def _add(self, resource: str, quantity: str, amount: float) -> None:
        self._sums[resource, quantity][int(self._simulation.now)] += amount

    def _write_record(self) -> None:
        for second in range(LENGTH_S):
            values: dict[ResourceColumn, float | None] = {
                ResourceColumn(resource, quantity, ColumnKind.FLOW, ResourceUnit.SECONDS): amounts[second]
                for (resource, quantity), amounts in self._sums.items()
            }
            taken = CONNECTIONS if self._cause is Cause.POOL and SLOW_S[0] <= second < SLOW_S[1] else 2
            values[ResourceColumn("database", "connections")] = float(taken)
            values[ResourceColumn("database", "connections.limit")] = float(CONNECTIONS)
            self.record.put(START_S + second, values)


def explained(service: SimulatedService) -> list[Attribution]:
    """Return what the load gate says about a run."""
    loaded = Span(START_S + RAMP_S, START_S + LENGTH_S)
    return explain(service.overall, service.groups, loaded, service.target)
