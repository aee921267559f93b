"""The control server has a fixed task, so a change of its latency shows a change of the machine.

Run as a program, this file is the server: for each line on standard input, it does the task and writes a line.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

INTERVAL_S = 0.2
ROUNDS = 5000
"""Rounds of the task. They take about a millisecond, which is long compared with a context switch and short compared
with INTERVAL_S."""

QUANTILE = 0.1
"""The quantile that represents a segment. The target and the generator delay some answers, because they share cores
with the control server. On a slower machine, even the fastest answers take longer."""


class Answer(NamedTuple):
    """An answer of the control server: the time of its request in epoch seconds, and its latency."""

    at_s: float
    latency_ms: float


def control_latency(answers: Sequence[Answer], since_s: float, until_s: float) -> float | None:
    """Return the latency in ms that represents the answers from `since_s` to `until_s`. `None` without answers."""
    latencies = sorted(answer.latency_ms for answer in answers if since_s <= answer.at_s < until_s)
    return latencies[int(QUANTILE * len(latencies))] if latencies else None


class Control:
    """The control's client. `asking` asks the server every INTERVAL_S."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @contextmanager
    def asking(self) -> Iterator[list[Answer]]:
        """Ask the server during the block. The list fills with the answers."""
        answers: list[Answer] = []
        is_over = threading.Event()
        thread = threading.Thread(target=self._ask, args=(answers, is_over), name="control", daemon=True)
        thread.start()
        try:
            yield answers
        finally:
            is_over.set()
            thread.join()

    def _ask(self, answers: list[Answer], is_over: threading.Event) -> None:
        requests, responses = self._process.stdin, self._process.stdout
        if requests is None or responses is None:
            return
        while not is_over.wait(INTERVAL_S):
            at_s, began = time.time(), time.perf_counter()
            try:
                requests.write(b"\n")
            except OSError:
                return  # the server has ended, so the control is not measured
            if not responses.readline():
                return
            answers.append(Answer(at_s, (time.perf_counter() - began) * 1000))


@contextmanager
def control_server() -> Iterator[Control]:
    """Start the control's server. It ends with the block, or with this process."""
    process = subprocess.Popen(
        [sys.executable, "-I", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    try:
        yield Control(process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _serve() -> None:
    for _ in sys.stdin.buffer:
        hashlib.pbkdf2_hmac("sha256", b"control", b"control", ROUNDS)
        sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
