"""What a stub holds as time passes: leaks, and what looks like a leak and is none.

A mode is a function of the time since its start, in seconds. It brings what the stub holds to what it should be then.
Python's own memory and the C heap are told apart, because a conclusion has to.
"""

from __future__ import annotations

import math
import os
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.calibrate.stubs.memory import LARGE_BYTES, MB, NativeMemory, PythonObjects

LEAK_BYTES_PER_S = MB / 60
CACHE_BYTES, CACHE_FULL_S = 20 * MB, 120.0
SAWTOOTH_BYTES_PER_S, SAWTOOTH_S = 3 * MB, (15.0, 25.0)
STEP_BYTES, STEP_S = 30 * MB, (60.0, 240.0)
BURST_BYTES, BURST_EVERY_S, BURST_TAU_S = (6 * MB, 30 * MB), 5.0, 60.0
WARM_UP_BYTES, WARM_UP_TAU_S = 20 * MB, 90.0
SECONDS_A_FILE, SECONDS_A_THREAD, SECONDS_A_CONNECTION = 1.0, 10.0, 10.0


@dataclass(slots=True)
class Held:
    """All that a stub has taken and not given back."""

    rnd: random.Random
    python: PythonObjects = field(init=False)
    native: NativeMemory = field(init=False)
    large: NativeMemory = field(init=False)
    files: list[int] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.python = PythonObjects(self.rnd)
        self.native = NativeMemory(self.rnd)
        self.large = NativeMemory(self.rnd, LARGE_BYTES, 4 * LARGE_BYTES)


Advance = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to use resources."""

    start: Callable[[Held], Advance]
    leaks: str = ""
    """What grows without end: `python` or `native` memory, `open_files`, `threads` or `connections`; "" for nothing."""


def _python_leak(held: Held) -> Advance:
    return lambda time_s: held.python.hold(time_s * LEAK_BYTES_PER_S)


def _native_leak(held: Held) -> Advance:
    return lambda time_s: held.native.hold(time_s * LEAK_BYTES_PER_S)


def _file_leak(held: Held) -> Advance:
    def advance(time_s: float) -> None:
        while len(held.files) < int(time_s / SECONDS_A_FILE):
            held.files.append(os.open(os.devnull, os.O_RDONLY))

    return advance


def _thread_leak(held: Held) -> Advance:
    never = threading.Event()

    def advance(time_s: float) -> None:
        while len(held.threads) < int(time_s / SECONDS_A_THREAD):
            thread = threading.Thread(target=never.wait, daemon=True)
            thread.start()
            held.threads.append(thread)

    return advance


def _connection_leak(held: Held) -> Advance:
    # Nothing accepts them, as if the other end were in another process: each leaks one descriptor of this one.
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def advance(time_s: float) -> None:
        while len(held.connections) < int(time_s / SECONDS_A_CONNECTION):
            held.connections.append(socket.create_connection(listener.getsockname(), timeout=10))

    return advance


def _cache(held: Held) -> Advance:
    """Fill a cache at a constant rate. Then each new entry replaces the oldest."""
    before_s = 0.0

    def advance(time_s: float) -> None:
        nonlocal before_s
        if held.python.held_bytes >= CACHE_BYTES:
            held.python.free_oldest(CACHE_BYTES * (time_s - before_s) / CACHE_FULL_S)
        held.python.hold(CACHE_BYTES * min(1.0, time_s / CACHE_FULL_S))
        before_s = time_s

    return advance


def _sawtooth(held: Held) -> Advance:
    """Hold more and more buffers, 60 MB on average when all are freed, about every 20 s.

    They are large: Python's allocator and the C heap keep much of the space of small ones, which would be `arena`.
    """
    freed_s, free_s = 0.0, held.rnd.uniform(*SAWTOOTH_S)

    def advance(time_s: float) -> None:
        nonlocal freed_s, free_s
        if time_s >= free_s:
            held.large.hold(0)
            freed_s, free_s = time_s, time_s + held.rnd.uniform(*SAWTOOTH_S)
        held.large.hold((time_s - freed_s) * SAWTOOTH_BYTES_PER_S)

    return advance


def _step(held: Held) -> Advance:
    step_s = held.rnd.uniform(*STEP_S)
    return lambda time_s: held.python.hold(STEP_BYTES if time_s >= step_s else 0)


def _arena(held: Held) -> Advance:
    """Use the C heap in bursts, which can be larger as time passes, up to 30 MB.

    A block that stays at the top of the heap makes the allocator keep what the largest burst needed.
    """
    least, most = BURST_BYTES
    next_s, bursting = 0.0, False

    def advance(time_s: float) -> None:
        nonlocal next_s, bursting
        if bursting:
            held.native.free_but_highest()
        bursting = time_s >= next_s
        if bursting:
            held.native.hold(held.rnd.uniform(least, most - (most - least) * math.exp(-time_s / BURST_TAU_S)))
            next_s = time_s + BURST_EVERY_S

    return advance


def _warm_up(held: Held) -> Advance:
    return lambda time_s: held.python.hold(WARM_UP_BYTES * -math.expm1(-time_s / WARM_UP_TAU_S))


def _none(_: Held) -> Advance:
    return lambda _: None


MODES = {
    "python-leak": Mode(_python_leak, "python"),
    "native-leak": Mode(_native_leak, "native"),
    "file-leak": Mode(_file_leak, "open_files"),
    "thread-leak": Mode(_thread_leak, "threads"),
    "connection-leak": Mode(_connection_leak, "connections"),
    "cache": Mode(_cache),
    "sawtooth": Mode(_sawtooth),
    "step": Mode(_step),
    "arena": Mode(_arena),
    "warm-up": Mode(_warm_up),
    "none": Mode(_none),
}
