"""The messages between a master and its workers. With them, the verdict includes the requests of all workers."""

from __future__ import annotations

import contextlib
import os
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import gevent
import zmq
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import HEARTBEAT_LIVENESS, STATE_MISSING, MasterRunner, WorkerRunner

from loadgate.generator.active_run import ActiveRun
from loadgate.generator.arrival_shares import ArrivalShares
from loadgate.generator.clocks import CLOCK, MasterClock, answer_clocks
from loadgate.generator.dispatch import Dispatchers
from loadgate.generator.generators import Generators
from loadgate.generator.identity import own_identity
from loadgate.generator.joining import Joining
from loadgate.generator.process import Process
from loadgate.generator.report_delivery import ACKNOWLEDGE, GRACE_S, REPORT, UNKNOWN_RUN, ReportDelivery
from loadgate.generator.worker_arrivals import WorkerArrivals
from loadgate.parent_process import follow
from loadgate.recorder.reports import RequestCounts
from loadgate.run.judgement import EndedBy
from loadgate.run.state import Run
from loadgate.shape.arrivals import ArrivalSchedule

FINISH = "loadgate_finish"
"""Master to worker: stop the users, wait for requests in flight, send the final report.

Data: {"stop_timeout_s", "ended_by"}. `ended_by` is a value of `EndedBy`.
"""
STAGE = "loadgate_stage"
"""Master to worker: set the stage of requests that start from now on. Data: {"label"}."""
RUN_ID = "loadgate_run"
"""The option with the id of the run. Locust's master sends its options to the workers that it starts."""


@dataclass(eq=False)
class WorkerProcess(Process):
    """A worker. It follows the messages of its master, which determines the verdict, and sends reports."""

    runner: WorkerRunner
    take_last_report: Callable[[], dict[str, Any] | None]

    def __post_init__(self) -> None:
        """Listen to the messages of the master."""
        super().__post_init__()
        self._is_finishing = False
        if self.options.processes:
            follow(os.getppid())
        self._delivery = ReportDelivery(self.runner)
        self.runner.register_message(FINISH, self._on_finish, concurrent=True)
        self.runner.register_message(STAGE, self._on_stage)
        self.runner.register_message(CLOCK, self._on_clock)
        self._clock = MasterClock(self._send)
        Joining(self.runner, own_identity(self.suite, self.choice, self.environment), self._clock, self._send).start()
        self._arrivals = WorkerArrivals(self.runner, self.current, self._clock)

    def begin(self) -> ActiveRun:
        """Start a run."""
        self._clock.begin_run()
        self.reserve.hold()
        self.environment.process_exit_code = 0
        self._delivery.begin(getattr(self.options, RUN_ID, ""))
        active = self._begin(generates_load=True, timed_by_gate=False, clock=self._clock)
        if active.pacer is not None:
            self._arrivals.begin(active.pacer)
        return active

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
            self._delivery.keep(report)
        self._delivery.finish()

    def report(self) -> None:
        """Send what was recorded since the last report, and the reports that were lost. Locust calls it every 3 s."""
        active = self.current()
        if active is not None and not self._delivery.is_full:
            self._delivery.keep(active.take_report(final=False))
        self._delivery.send_due()

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


class MasterSide(Generators):
    """The master's side: it collects the workers' reports and waits for the final ones before the verdict."""

    def __init__(
        self,
        runner: MasterRunner,
        current_run: Callable[[], Run | None],
        dispatchers: Dispatchers,
        pid_of: Callable[[str], int | None],
    ) -> None:
        """Listen to the workers. `pid_of` returns the process id of a worker by Locust's id of it."""
        self._runner = runner
        self._pid_of = pid_of
        self._dispatchers = dispatchers
        self._current_run = current_run
        self._run_id = ""
        self._shares = ArrivalShares(runner, dispatchers.has_users)
        # A worker that connects again replaces its old connection, which the network may have forgotten.
        runner.server.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        answer_clocks(runner)
        runner.register_message(REPORT, self._on_report)

    def begin(self, run: Run, options: Namespace) -> None:
        """Prepare for the reports of a run that starts now."""
        self._run_id = uuid4().hex
        setattr(options, RUN_ID, self._run_id)
        for client in self._runner.clients.all:
            if client.state != STATE_MISSING and self._dispatchers.admits(client.id):
                self._introduce(run, client.id)

    def enter_stage(self, label: str) -> None:
        """Set the stage of all workers' requests from now on."""
        self._runner.send_message(STAGE, {"label": label})

    def are_users_ready(self, since_s: float) -> bool:
        """Return whether each worker has said since then that all of its users wait for an arrival."""
        return self._shares.are_users_ready(since_s)

    def start_arrivals(self, schedule: ArrivalSchedule, weights: Mapping[str, float], until_s: float | None) -> None:
        """Start each worker's share of the arrivals, and wait until all have started."""
        self._shares.start(schedule, weights, until_s)

    def check_processes(self, run: Run) -> None:
        """Note which workers are present. Call it every second."""
        self.note_missing(run)
        self._shares.check(run)

    def note_missing(self, run: Run) -> None:
        """Note workers that Locust considers missing, and workers that have come back."""
        for client in self._runner.clients.all:
            worker = self._label(client.id)
            if worker not in run.workers.known:
                continue  # it was refused, or has not started yet
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
        self.note_missing(run)
        self._shares.finish(run)

    def _unfinished(self, run: Run) -> set[str]:
        there = {self._label(client.id) for client in self._runner.clients.all if client.state != STATE_MISSING}
        return (there & run.workers.known.keys()) - run.workers.finished

    def _on_report(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        """Add a report of the current run, and acknowledge it."""
        run, report = self._current_run(), msg.data["report"]
        if msg.data["run"] != self._run_id:
            if msg.node_id not in self._runner.clients:
                self._runner.send_message(UNKNOWN_RUN, {"run": msg.data["run"]}, msg.node_id)
            return
        if run is None:
            return
        worker = self._introduce(run, msg.node_id)
        run.workers.note_report(worker, RequestCounts(*report["counted"]), report["arrivals"])
        is_new = run.merge_report(report, worker)
        if is_new and report["delta"]["final"] and not run.is_stopped:
            run.workers.mark_left(worker, by_suite=report["ended_by"] == EndedBy.SUITE)
        acknowledged = {"run": self._run_id, "sequence": report["delta"]["sequence"]}
        self._runner.send_message(ACKNOWLEDGE, acknowledged, msg.node_id)

    def _introduce(self, run: Run, client_id: str) -> str:
        """Note that a worker takes part in the run, and return its label. Locust's id starts with the host."""
        worker = self._label(client_id)
        run.workers.introduce(worker, client_id.rpartition("_")[0], self._pid_of(client_id))
        return worker

    def _label(self, client_id: str) -> str:
        return str(self._runner.get_worker_index(client_id))  # type: ignore[no-untyped-call]
