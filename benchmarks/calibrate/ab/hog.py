"""A process that uses a core."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator


class Hog:
    """A process that uses a core while a comparison wants it.

    Comparisons that run at the same time share it. One process for each would leave them no core.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def wanted(self, after_s: float) -> Iterator[None]:
        """Want the process from `after_s` seconds after the start of the block until its end."""
        ended = threading.Event()

        def use() -> None:
            if not ended.wait(after_s):
                self._want(1)
                ended.wait()
                self._want(-1)

        thread = threading.Thread(target=use)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _want(self, change: int) -> None:
        with self._lock:
            self._wanted += change
            if self._wanted and self._process is None:
                self._process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            elif not self._wanted and self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None
