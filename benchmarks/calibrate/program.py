"""Run a calibration as a program whose end is also the end of everything that it has started."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import NoReturn

import psutil

GRACE_S = 15.0
"""Time between SIGTERM and SIGKILL for a child. `loadgate ab` stops its targets meanwhile."""

_POLL_S = 0.1


def run(main: Callable[[], int], grace_s: float = GRACE_S) -> NoReturn:
    """Run a calibration, and exit with its result.

    SIGINT, SIGTERM and SIGHUP first end its children. Then they raise SystemExit in the main thread, so that temporary
    files are deleted. The exit code is then 128 and the number of the signal.
    """
    stop = _Stop(grace_s)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    sys.exit(main())


class _Stop:
    """The handler of the signals."""

    def __init__(self, grace_s: float) -> None:
        self._process = psutil.Process()
        self._grace_s = grace_s
        self._begun = False

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signal module's signature
        if os.getpid() != self._process.pid:
            os._exit(128 + number)  # a worker of a pool, which was forked with this handler
        if self._begun:
            return
        self._begun = True
        children = self._process.children()
        # Other threads can still start children, so this does not end before the process.
        threading.Thread(target=self._end_children, daemon=True).start()
        deadline = time.monotonic() + self._grace_s
        while _alive(children) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        sys.exit(128 + number)

    def _end_children(self) -> None:
        told: dict[psutil.Process, float] = {}
        while True:
            for child in _alive(self._process.children()):
                if child not in told:
                    told[child] = time.monotonic()
                    _send(signal.SIGTERM, [child])
                elif time.monotonic() - told[child] > self._grace_s:
                    _send(signal.SIGKILL, [child, *_descendants(child)])
            time.sleep(_POLL_S)


def _alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that have not ended. They are not waited for, because their owner does that."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _send(number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
