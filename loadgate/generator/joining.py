"""The side of a worker that joins a master: it introduces itself, and checks whether it can reach the target.

`loadgate.generator.admission` is the master's side.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.rpc import Message
from locust.runners import WorkerRunner

from loadgate.exit_codes import ExitCode
from loadgate.generator.clocks import MasterClock
from loadgate.generator.worker_preflight import worker_problems
from loadgate.run.identity import Identity

HELLO = "loadgate_hello"
"""Worker to master: its identity. Master to worker: {"refused"}, the reason or ""."""
CHECK = "loadgate_check"
"""Master to worker: {"number", "hosts", "users"}. Worker to master: {"number", "problems"}."""

ASK_EVERY_S = 1.0
GIVE_UP_S = 30.0
"""A master that does not answer for this long does not run loadgate."""
CLOCK_WAIT_S = 10.0

Send = Callable[[str, dict[str, Any]], None]


class Joining:
    """A worker's part in the handshake."""

    def __init__(self, runner: WorkerRunner, identity: Identity, clock: MasterClock, send: Send) -> None:
        self._runner = runner
        self._identity = identity
        self._clock = clock
        self._send = send
        self._is_answered = Event()
        runner.register_message(HELLO, self._on_answer)
        runner.register_message(CHECK, self._on_check, concurrent=True)

    def start(self) -> None:
        """Introduce this worker until the master answers."""
        gevent.spawn(self._introduce)

    def _introduce(self) -> None:
        for _ in range(round(GIVE_UP_S / ASK_EVERY_S)):
            self._send(HELLO, self._identity.model_dump())
            if self._is_answered.wait(ASK_EVERY_S):
                return
        self._leave("it does not run this version of loadgate; start it with the same locustfile and version")

    def _on_answer(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        if self._is_answered.is_set():
            return
        self._is_answered.set()
        if reason := msg.data["refused"]:
            self._leave(f"it refused this worker: {reason}")
        else:
            self._clock.start()

    def _on_check(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust's signature
        problems = worker_problems(msg.data["hosts"], msg.data["users"])
        if not self._clock.wait(CLOCK_WAIT_S):
            problems.append("clock: the master did not answer the messages that compare the clocks")
        self._send(CHECK, {"number": msg.data["number"], "problems": problems})

    def _leave(self, reason: str) -> None:
        """End the process with an error."""
        address = f"{self._runner.master_host}:{self._runner.master_port}"
        print(f"loadgate: the master at {address} cannot be used: {reason}", file=sys.stderr, flush=True)
        self._runner.environment.process_exit_code = int(ExitCode.USAGE)
        # In a greenlet of its own, because `quit` ends the greenlet that receives messages.
        gevent.spawn(self._runner.quit)
