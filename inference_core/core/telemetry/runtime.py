"""The memory of this process as Python and the C library see it, and how to return what is free to the system.

The resident memory of a process grows for several reasons. These figures tell them apart: a leak of Python objects
increases the allocated blocks, a leak of C code increases the heap in use, and an allocator that keeps freed memory
increases only the heap that it holds.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple

from inference_core.core.telemetry.metrics import Metrics

# Share of the time.
MOST_COST = 0.001


class HeapUse(NamedTuple):
    """The heap of the C library: the allocated bytes, and the bytes that it has got from the system."""

    in_use_bytes: int
    held_bytes: int


class _Mallinfo2(ctypes.Structure):
    """`struct mallinfo2` of glibc (malloc.h)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


class RuntimeMetrics:
    """The metrics of the memory of a process, summed over the processes of one server.

    Reading them takes about 0.1 ms, but 8 ms with 100,000 gaps in the heap. Updates are therefore skipped while they
    would take more than `MOST_COST` of the time.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._next_s = 0.0
        self._blocks = metrics.gauge("python_allocated_blocks", "Memory blocks that Python has allocated.", "livesum")
        if heap_use() is not None:
            self._heap_in_use = metrics.gauge(
                "process_heap_in_use_bytes", "Allocated bytes of the C heap (glibc).", "livesum"
            )
            self._heap_held = metrics.gauge(
                "process_heap_held_bytes", "Bytes that the C heap (glibc) has got from the system.", "livesum"
            )

    def set(self) -> None:
        """Update the gauges if it is time."""
        if perf_counter() >= self._next_s:
            self.set_now()

    def set_now(self) -> None:
        """Update the gauges."""
        start_s = perf_counter()
        self._blocks.set(sys.getallocatedblocks())
        if (heap := heap_use()) is not None:
            self._heap_in_use.set(heap.in_use_bytes)
            self._heap_held.set(heap.held_bytes)
        end_s = perf_counter()
        self._next_s = end_s + (end_s - start_s) / MOST_COST


def heap_use() -> HeapUse | None:
    """Return the use of the heap in all arenas (`mallinfo2`, glibc 2.33).

    None with another C library, and with an allocator that replaces that of the library, whose heap is then empty.
    """
    mallinfo2 = _libc_function("mallinfo2", _Mallinfo2)
    if mallinfo2 is None:
        return None
    info = mallinfo2()
    held = info.arena + info.hblkhd
    return HeapUse(info.uordblks + info.hblkhd, held) if held else None


def collect_memory() -> None:
    """Collect garbage, and return the free heap to the system where the C library can do this (`malloc_trim`).

    This blocks the process, usually for some milliseconds.
    """
    gc.collect()
    if (malloc_trim := _libc_function("malloc_trim", ctypes.c_int)) is not None:
        malloc_trim(ctypes.c_size_t(0))


@cache
def _libc_function(name: str, result: type[Any]) -> Any:  # a function of ctypes, or None if the library has none
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function.restype = result
    return function
