"""Deliver the reports of a worker: send them until the master has acknowledged them."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import WorkerRunner

from loadgate.exit_codes import ExitCode
from loadgate.recorder.outbox import Outbox

REPORT = "loadgate_report"
"""Worker to master: a report. Data: {"run", "report"}. `run` is the id of the run."""
ACKNOWLEDGE = "loadgate_acknowledge"
"""Master to worker: a report has arrived. Data: {"run", "sequence"}."""
UNKNOWN_RUN = "loadgate_unknown_run"
"""Master to worker: the master knows neither the worker nor its run, because it was restarted."""

GRACE_S = 5.0
"""Time beyond the stop timeout for which the master waits for a worker's final report, and for which a worker waits for
the acknowledgement of its reports."""


class ReportDelivery:
    """The delivery of the reports of one worker, for one run after the other.

    A worker whose reports cannot be delivered says so, and exits with ERROR.
    """

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self._outbox = Outbox()
        self._run_id = ""
        self._heard_s = 0.0
        self._is_given_up = False
        runner.environment.events.heartbeat_received.add_listener(self._on_heartbeat)  # type: ignore[no-untyped-call]
        runner.register_message(ACKNOWLEDGE, self._on_acknowledge)
        runner.register_message(UNKNOWN_RUN, self._on_unknown_run, concurrent=True)

    def begin(self, run_id: str) -> None:
        """Start a run. Reports of the run before are no longer sent."""
        self._run_id = run_id
        self._outbox = Outbox()
        self._is_given_up = False

    @property
    def is_full(self) -> bool:
        """Return whether the next report has to wait until others are acknowledged."""
        return self._outbox.is_full

    def keep(self, report: dict[str, Any]) -> None:
        """Take over a report, to be sent by `send_due` or `finish`."""
        if not self._is_given_up:
            self._outbox.keep(report["delta"]["sequence"], report)

    def send_due(self) -> None:
        """Send the new reports, and again those that were lost."""
        for sequence in self._outbox.due(self._heard_s):
            report = self._outbox.take_out(sequence, time.monotonic())
            # If Locust cannot send the report, it is kept and sent again.
            with contextlib.suppress(RPCError):
                self._runner.send_message(REPORT, {"run": self._run_id, "report": report})

    def finish(self) -> None:
        """Send all reports, and wait until the master has acknowledged them. Say so if it does not."""
        deadline = time.monotonic() + GRACE_S
        self.send_due()
        # After Locust has ended its greenlets, it receives nothing.
        while len(self._outbox) and len(self._runner.greenlet) and time.monotonic() < deadline:
            gevent.sleep(0.05)
            self.send_due()
        if missing := len(self._outbox):
            reports = "a report" if missing == 1 else f"{missing} reports"
            self._give_up(f"the master has not acknowledged {reports} of this worker, so its latest requests are lost")

    def _give_up(self, reason: str) -> None:
        self._is_given_up = True
        self._outbox.clear()
        self._runner.environment.process_exit_code = ExitCode.ERROR
        print(f"loadgate: {reason}", file=sys.stderr, flush=True)

    def _on_unknown_run(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        if msg.data["run"] == self._run_id and not self._is_given_up:
            self._give_up("the master was restarted and does not know this worker's run; start the worker again")
            self._runner.quit()

    def _on_heartbeat(self, **_: Any) -> None:
        self._heard_s = time.monotonic()

    def _on_acknowledge(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        if msg.data["run"] == self._run_id:
            self._outbox.acknowledge(msg.data["sequence"])
