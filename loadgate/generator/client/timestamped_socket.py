"""A socket that records the arrival time of its data, even if the generator reads the data later."""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Any

import gevent
import gevent.socket
from gevent.monkey import get_original

_HAS_STAMPS = sys.platform == "linux" and sys.maxsize > 2**32
_TIMESTAMPS = 35
"""SO_TIMESTAMPNS of Linux: recvmsg also returns the wall-clock time at which the kernel received the last bytes."""

_poll = get_original("select", "poll")

_timespec_of = struct.Struct("qq").unpack
_TIMESPEC_SPACE = socket.CMSG_SPACE(16)


class TimestampedSocket(gevent.socket.socket):  # type: ignore[misc]  # gevent is untyped here
    """A socket with the arrival time of its last data: the kernel's timestamp on Linux, else the time of the read."""

    __slots__ = ("_poller", "_taken", "_timer", "_timer_s", "arrived")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if _HAS_STAMPS:
            with suppress(OSError):  # the kernel does not support timestamps
                self.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        self._poller = _poll()
        self._poller.register(self.fileno(), select.POLLIN)
        self._timer: Any = None
        self._timer_s: float | None = None
        self.take()

    def take(self) -> None:
        """Prepare the socket for a new request."""
        self._taken = time.perf_counter()
        self.arrived: float | None = None
        """The arrival time of the last data (`time.perf_counter`). `None` before the first read of the request."""

    def is_reusable(self) -> bool:
        """Return whether the connection is open and has no unread data, so that a new request can use it."""
        return self.fileno() >= 0 and not self._poller.poll(0)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all; see `socket.socket.sendall`."""
        if type(data) is bytes:
            # Fast path (benchmarks/generator_throughput.py): gevent's method also reads the size of the send buffer
            # and the clock.
            try:
                sent = self._sock.send(data, flags)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
        super().sendall(data, flags)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read; see `socket.socket.recv`."""
        if self.arrived is None and self.timeout != 0.0 and self.fileno() >= 0:
            # The request has just been sent, so there is no data yet.
            self._await_answer()
        try:
            if not _HAS_STAMPS:
                return bytes(super().recv(size, flags))
            received: bytes
            received, notes, _, _ = super().recvmsg(size, _TIMESPEC_SPACE, flags)
        finally:
            self.arrived = time.perf_counter()
        if notes:
            self._stamp(notes[0][2])
        return received

    def _await_answer(self) -> None:
        """Wait for data like `_wait`, with a timer that all requests of the connection share."""
        watcher, timeout_s = self._read_event, self.timeout
        if timeout_s is None or watcher.callback is not None:
            self._wait(watcher)
            return
        if self._timer_s != timeout_s:
            self._timer_s, self._timer = timeout_s, self.hub.loop.timer(timeout_s, timeout_s)
        # Fast path (callgrind): one timer for all requests of a connection saves 21,000 of 365,000 instructions per
        # request.
        self._timer.again(gevent.getcurrent().throw, TimeoutError, "timed out", update=True)
        try:
            self.hub.wait(watcher)
        finally:
            self._timer.stop()

    def _stamp(self, timespec: bytes) -> None:
        """Set the arrival time of the last data from the kernel's timestamp."""
        seconds, nanoseconds = _timespec_of(timespec)
        age_s = (time.time_ns() - seconds * 1_000_000_000 - nanoseconds) / 1e9
        # If the age is negative or longer than the request, the wall clock was adjusted in the meantime.
        if self.arrived is not None and 0 < age_s < self.arrived - self._taken:
            self.arrived -= age_s


def last_arrival(sock: gevent.socket.socket | None) -> float:
    """Return the arrival time of a request's last data, or the current time if nothing was read or TLS is used."""
    arrived = sock.arrived if isinstance(sock, TimestampedSocket) else None
    return time.perf_counter() if arrived is None else arrived
