"""Measure round trips with a bare socket during the run: the time between a client and the server's timestamps."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from typing import Self
from urllib.parse import urlsplit

INTERVAL_S = 0.1
_REQUEST = b"GET /probe HTTP/1.1\r\nHost: stub\r\n\r\n"


class RoundTrips:
    """Within a `with` block, asks for what is answered at once and takes the time, from a thread of its own."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (str(parts.hostname), int(parts.port or 80))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure)
        self._times_ms: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def median_ms(self) -> float:
        return statistics.median(self._times_ms)

    def _measure(self) -> None:
        with socket.create_connection(self._address) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._stop.wait(INTERVAL_S):
                began = time.perf_counter()
                connection.sendall(_REQUEST)
                connection.recv(4096)
                self._times_ms.append((time.perf_counter() - began) * 1000)
