"""The messages between a master and its workers. With them, the verdict includes the requests of all workers."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import HEARTBEAT_LIVENESS, STATE_MISSING, MasterRunner, WorkerRunner

from loadgate.generator.active_run import ActiveRun
from loadgate.generator.clocks import CLOCK, MasterClock, answer_clocks
from loadgate.generator.generators import Generators
from loadgate.generator.identity import own_identity
from loadgate.generator.joining import Joining
from loadgate.generator.process import Process
from loadgate.run.judgement import EndedBy
from loadgate.run.state import Run
from loadgate.shape.arrivals import ArrivalSchedule, RateSegment, WorkerShare
from loadgate.shape.stages import open_stage_starts

FINISH = "loadgate_finish"
"""Master to worker: stop the users, wait for requests in flight, send the final report.

Data: {"stop_timeout_s", "ended_by"}. `ended_by` is a value of `EndedBy`.
"""
FINAL = "loadgate_final"
"""Worker to master: the final report."""
STAGE = "loadgate_stage"
"""Master to worker: set the stage of requests that start from now on. Data: {"label"}."""
ARRIVALS = "loadgate_arrivals"
"""Master to worker: start your share of the arrivals. Data: see `MasterSide.start_arrivals`."""
ARRIVING = "loadgate_arriving"
"""Worker to master: the arrivals have started."""
REPORT = "loadgate"
"""Key of the report within Locust's periodic report."""

GRACE_S = 5.0
"""Time beyond the stop timeout for which the master waits for a worker's final report."""


@dataclass(eq=False)
class WorkerProcess(Process):
    """A worker. It follows the messages of its master, which determines the verdict, and sends reports."""

    runner: WorkerRunner
    take_last_report: Callable[[], dict[str, Any] | None]

    def __post_init__(self) -> None:
        """Listen to the messages of the master."""
        super().__post_init__()
        self._is_finishing = False
        self.runner.register_message(FINISH, self._on_finish, concurrent=True)
        self.runner.register_message(STAGE, self._on_stage)
        # Concurrent, so that Locust's greenlet has set the target when both messages arrive at once.
        self.runner.register_message(ARRIVALS, self._on_arrivals, concurrent=True)
        self.runner.register_message(CLOCK, self._on_clock)
        self._clock = MasterClock(self._send)
        Joining(self.runner, own_identity(self.suite, self.choice, self.environment), self._clock, self._send).start()

    def begin(self) -> ActiveRun:
        """Start a run."""
        self._clock.begin_run()
        self.reserve.hold()
        self.environment.process_exit_code = 0
        return self._begin(generates_load=True, timed_by_gate=False, clock=self._clock)

    def is_told_to_stop(self) -> bool:
        """Return whether the master or an interrupt is ending the load. If not, the suite is ending it."""
        return super().is_told_to_stop() or self._is_finishing or gevent.getcurrent() in self.runner.greenlet

    def end_load(self) -> None:
        """End the process. Locust notifies the master."""
        self.runner.quit()

    def end_now(self, run: Run) -> None:  # noqa: ARG002 - see Process
        """Send the final report."""
        self._finish(self.environment.stop_timeout)

    def _finish(self, stop_timeout_s: float) -> None:
        """Stop the users, wait for their requests, and send the final report. A second call sends nothing."""
        self._is_finishing = True
        self.environment.stop_timeout = stop_timeout_s
        try:
            self.runner.stop()
        finally:
            self._is_finishing = False
        # Locust would sleep for the stop timeout before it reports the worker as ready again.
        self.environment.stop_timeout = 0.0
        report = self.take_last_report()
        if report is not None:
            self.runner.send_message(FINAL, report)

    def _on_finish(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        active = self.current()
        if active is not None:
            active.run.end_by(EndedBy(msg.data["ended_by"]))
        self._finish(msg.data["stop_timeout_s"])

    def _on_stage(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002
        active = self.current()
        if active is not None:
            active.run.enter_stage(msg.data["label"])

    def _send(self, kind: str, data: dict[str, Any]) -> None:
        """Send a message that is sent again later if it is lost."""
        with contextlib.suppress(RPCError):
            self.runner.send_message(kind, data)

    def _on_clock(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002
        self._clock.take_answer(msg.data)

    def _on_arrivals(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002
        active = self.current()
        if active is None or active.pacer is None:
            return
        data = msg.data
        active.run.schedule_stages((after_s, label) for after_s, label in data["marks"])
        segments = [RateSegment(first, last, float("inf") if s is None else s) for first, last, s in data["segments"]]
        share = WorkerShare(ArrivalSchedule(tuple(segments)), data["worker"], data["workers"])
        # Arrivals of a class that gets no users on this worker would wait forever. On a busy machine, users that are
        # due may not have started yet.
        here = {name for name, count in self.runner.target_user_classes_count.items() if count}
        active.pacer.start(
            share, {name: weight for name, weight in data["weights"].items() if name in here}, data["until_s"]
        )
        self.runner.send_message(ARRIVING)


class MasterSide(Generators):
    """The master's side: it collects the workers' reports and waits for the final ones before the verdict."""

    def __init__(self, runner: MasterRunner, current_run: Callable[[], Run | None]) -> None:
        self._runner = runner
        self._current_run = current_run
        self._arriving: set[str] = set()
        answer_clocks(runner)
        runner.register_message(FINAL, self._on_final)
        runner.register_message(ARRIVING, self._on_arriving)

    def on_report(self, client_id: str, data: Mapping[str, Any]) -> None:
        """Add the gate's part of one of Locust's periodic reports to the run."""
        if REPORT in data:
            self._merge(client_id, data[REPORT])

    def enter_stage(self, label: str) -> None:
        """Set the stage of all workers' requests from now on."""
        self._runner.send_message(STAGE, {"label": label})

    def start_arrivals(self, schedule: ArrivalSchedule, weights: Mapping[str, float], until_s: float | None) -> None:
        """Start each worker's share of the arrivals, and wait until all have started."""
        clients = self._workers_with_users()
        shared: dict[str, Any] = {
            "segments": [
                [item.first, item.last, item.duration_s if math.isfinite(item.duration_s) else None]
                for item in schedule.segments
            ],
            "marks": [list(mark) for mark in open_stage_starts(schedule)],
            "weights": dict(weights),
            "until_s": until_s,
        }
        self._arriving.clear()
        for number, client_id in enumerate(clients):
            share = shared | {"worker": number, "workers": len(clients)}
            self._runner.send_message(ARRIVALS, share, client_id)
        deadline = time.monotonic() + GRACE_S
        while not self._arriving.issuperset(clients) and time.monotonic() < deadline:
            gevent.sleep(0.01)

    def _workers_with_users(self) -> list[str]:
        """Return the ids of the workers with users, because only these can start arrivals, or else of all workers."""
        there = [client for client in self._runner.clients.all if client.state != STATE_MISSING]
        return sorted(client.id for client in [item for item in there if item.user_count] or there)

    def check_processes(self, run: Run) -> None:
        """Note which workers are present. Call it every second."""
        self._note_missing(run)

    def _note_missing(self, run: Run) -> None:
        """Note workers that Locust considers missing, and workers that have come back."""
        for client in self._runner.clients.all:
            worker = self._label(client.id)
            if client.state == STATE_MISSING:
                run.workers.mark_missing(worker)
            else:
                is_heard = client.heartbeat >= HEARTBEAT_LIVENESS - 1
                run.workers.mark_present(worker, run.elapsed_s, is_heard=is_heard)

    def finish(self, run: Run, stop_timeout_s: float, must_hurry: Callable[[], bool]) -> None:
        """Tell the workers to finish, and wait for their final reports until the timeout."""
        self._runner.send_message(
            FINISH,
            {"stop_timeout_s": stop_timeout_s, "ended_by": (run.ended_by or EndedBy.TIME).value},
        )
        deadline = time.monotonic() + stop_timeout_s + GRACE_S
        while self._unfinished(run) and time.monotonic() < deadline and not must_hurry():
            gevent.sleep(0.05)
        self._note_missing(run)

    def _unfinished(self, run: Run) -> list[str]:
        return [
            client.id
            for client in self._runner.clients.all
            if client.state != STATE_MISSING and self._label(client.id) not in run.workers.finished
        ]

    def _on_arriving(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002
        self._arriving.add(msg.node_id)

    def _on_final(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        run = self._current_run()
        if run is not None and not run.is_stopped:
            by_suite = msg.data["ended_by"] == EndedBy.SUITE
            run.workers.mark_left(self._label(msg.node_id), by_suite=by_suite)
        self._merge(msg.node_id, msg.data)

    def _merge(self, client_id: str, report: Mapping[str, Any]) -> None:
        run = self._current_run()
        if run is None:
            return
        run.merge_report(report, self._label(client_id))

    def _label(self, client_id: str) -> str:
        return str(self._runner.get_worker_index(client_id))  # type: ignore[no-untyped-call]
