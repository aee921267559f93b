"""The clock of a worker: it follows the master's clock, so that all processes record their times by one clock.

Every 10 s, the worker sends a burst of 8 messages, and the master answers each with two times of its own clock.
`loadgate.analysis.clock_offset` estimates the offset from them. The worker's side of an exchange is its monotonic
clock, so that a worker whose wall clock is set during the run continues to record the master's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import AsyncResult, Event

from loadgate.analysis.clock_offset import Exchange, OffsetHistory, best_offset
from loadgate.run.clock import RunClock
from loadgate.run.document.environment import ClockRecord

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.rpc import Message
    from locust.runners import MasterRunner

CLOCK = "loadgate_clock"
"""Worker to master: {"number"}. Master to worker: {"number", "received_s", "answered_s"}, in epoch seconds."""

BURST = 8
INTERVAL_S = 10.0
PAUSE_S = 0.02
"""Pause between the messages of a burst, so that one delay does not affect all."""
LOST_AFTER_S = 1.0
"""An answer that takes longer than this does not count."""
SET_S = 0.05
"""A wall clock that moves by more than this against the monotonic clock has been set. NTP slews by at most 0.5 ms/s."""

Send = Callable[[str, dict[str, Any]], None]


class MasterClock(RunClock):
    """The master's clock as a worker knows it. Before the first exchange, it is the worker's own clock."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._history = OffsetHistory()
        self._offset_s: float | None = None
        self._number = 0
        self._answer: AsyncResult[Exchange] = AsyncResult()
        self._sent_s = 0.0
        self._known = Event()
        self._wall_s = _wall_offset_s()
        self._set_by_s = 0.0
        self._greenlet: gevent.Greenlet | None = None

    def now_s(self) -> float:
        """Return the master's time."""
        return time.time() if self._offset_s is None else time.monotonic() + self._offset_s

    def shift_s(self) -> float:
        """Return the seconds to add to a time of the worker's wall clock."""
        return self.now_s() - time.time()

    @property
    def is_known(self) -> bool:
        """Return whether an exchange with the master has succeeded."""
        return self._offset_s is not None

    def wait(self, timeout_s: float) -> bool:
        """Wait for the first successful exchange. Return whether there was one."""
        return bool(self._known.wait(timeout_s))

    def start(self) -> None:
        """Start to follow the master's clock, until the process ends."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._follow)

    def begin_run(self) -> None:
        """Forget the drift and the jumps before a run."""
        self._history = OffsetHistory(self._history.kept, self._history.kept[-1] if self._history.kept else None)
        self._wall_s, self._set_by_s = _wall_offset_s(), 0.0

    def record(self) -> ClockRecord | None:
        """Return the state of the clock for run.json. `None` before the first exchange."""
        if not self.is_known:
            return None
        self._note_set_wall_clock()
        offset = self._history.at(time.monotonic())
        return ClockRecord(
            skew_s=round(self.shift_s(), 6),
            error_s=round(offset.error_s, 6),
            drift_ppm=round(self._history.least_drift * 1e6, 1),
            set_by_s=round(self._set_by_s, 3),
            jump_s=round(self._history.jump_s, 3),
        )

    def take_answer(self, data: dict[str, Any]) -> None:
        """Process an answer of the master. Late answers are ignored."""
        returned_s = time.monotonic()
        if data["number"] == self._number and not self._answer.ready():
            self._answer.set(Exchange(self._sent_s, data["received_s"], data["answered_s"], returned_s))

    def _follow(self) -> None:
        while True:
            self._note_set_wall_clock()
            offset = best_offset(found for _ in range(BURST) if (found := self._exchange()) is not None)
            if offset is not None:
                self._history = self._history.learn(offset)
                self._offset_s = self._history.at(offset.at_s).offset_s
                self._known.set()
            gevent.sleep(INTERVAL_S if self.is_known else LOST_AFTER_S)

    def _exchange(self) -> Exchange | None:
        self._number += 1
        self._answer = AsyncResult()
        self._sent_s = time.monotonic()
        self._send(CLOCK, {"number": self._number})
        try:
            found: Exchange = self._answer.get(timeout=LOST_AFTER_S)
        except gevent.Timeout:
            return None
        gevent.sleep(PAUSE_S)
        return found

    def _note_set_wall_clock(self) -> None:
        wall_s = _wall_offset_s()
        if abs(wall_s - self._wall_s) > SET_S:
            self._set_by_s = max(self._set_by_s, wall_s - self._wall_s, key=abs)
        self._wall_s = wall_s


def _wall_offset_s() -> float:
    return time.time() - time.monotonic()


def answer_clocks(runner: MasterRunner) -> None:
    """Answer the messages with which the workers compare their clocks."""

    def answer(environment: Environment, msg: Message) -> None:  # noqa: ARG001 - Locust's signature
        received_s = time.time()
        data = {"number": msg.data["number"], "received_s": received_s, "answered_s": time.time()}
        runner.send_message(CLOCK, data, msg.node_id)

    runner.register_message(CLOCK, answer)
