"""Memory that a stub holds: Python objects or blocks of the C heap, by the byte, and what the C heap says about itself.

Linux with glibc 2.33 or later.
"""

from __future__ import annotations

import ctypes
import random
from collections import deque
from itertools import cycle

MB = 2**20
_PR_SET_THP_DISABLE = 41
"""See prctl(2)."""

_M_MMAP_THRESHOLD = -3
"""See mallopt(3)."""

LARGE_BYTES = 128 * 1024
"""Blocks from here on are mapped each on their own, and go back to the system when they are freed."""

_BYTES_HEADER, _REFERENCE_BYTES = 33, 8
_LARGEST_SMALL_OBJECT = 512
"""Python takes larger objects from the C heap."""

_libc = ctypes.CDLL(None)
_libc.malloc.argtypes, _libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
_libc.free.argtypes, _libc.free.restype = [ctypes.c_void_p], None


class PythonObjects:
    """Python objects of 64 to 512 bytes, each a block of Python's own allocator, about 3.6 in a KB."""

    def __init__(self, rnd: random.Random) -> None:
        sizes = [size for size in range(64, _LARGEST_SMALL_OBJECT + 1, 16) for _ in range(8)]
        rnd.shuffle(sizes)
        self._sizes = cycle(sizes)
        self._batches: deque[tuple[int, list[bytes]]] = deque()
        self.held_bytes = 0

    def hold(self, total_bytes: float) -> None:
        """Add objects, or free the newest, until about `total_bytes` are held."""
        while self._batches and self.held_bytes - self._batches[-1][0] >= total_bytes:
            self.held_bytes -= self._batches.pop()[0]
        self._add(total_bytes - self.held_bytes)

    def free_oldest(self, some_bytes: float) -> None:
        """Free at least `some_bytes` of the oldest objects, or all."""
        least = self.held_bytes - some_bytes
        while self._batches and self.held_bytes > least:
            self.held_bytes -= self._batches.popleft()[0]

    def _add(self, some_bytes: float) -> None:
        added, objects = 0, []
        while added < some_bytes:
            size = next(self._sizes)
            objects.append(bytes(size - _BYTES_HEADER))
            added += size + _REFERENCE_BYTES
        if objects:
            self._batches.append((added, objects))
            self.held_bytes += added


class NativeMemory:
    """Blocks from `malloc`, all written to, of which Python knows nothing."""

    def __init__(self, rnd: random.Random, smallest_bytes: int = 2048, largest_bytes: int = 32_768) -> None:
        self._sizes = cycle([rnd.randint(smallest_bytes, largest_bytes) for _ in range(256)])
        self._blocks: list[tuple[int, int]] = []
        self.held_bytes = 0

    def hold(self, total_bytes: float) -> None:
        """Add blocks, or free the newest, until about `total_bytes` are held."""
        while self._blocks and self.held_bytes - self._blocks[-1][1] >= total_bytes:
            self._free_last()
        while self.held_bytes < total_bytes:
            size = next(self._sizes)
            address = _libc.malloc(size)
            if not address:
                raise MemoryError
            ctypes.memset(address, 1, size)
            self._blocks.append((address, size))
            self.held_bytes += size

    def free_but_highest(self) -> None:
        """Free all blocks but the one at the highest address: the heap cannot shrink below it."""
        self._blocks.sort(reverse=True)
        while len(self._blocks) > 1:
            self._free_last()

    def _free_last(self) -> None:
        address, size = self._blocks.pop()
        _libc.free(address)
        self.held_bytes -= size


class _MallInfo2(ctypes.Structure):
    """See mallinfo2(3)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def heap_bytes() -> tuple[int, int]:
    """Return the bytes of the C heap that are in use, and those that it holds from the system."""
    _libc.mallinfo2.restype = _MallInfo2
    info = _libc.mallinfo2()
    return info.uordblks + info.hblkhd, info.arena + info.hblkhd


def fix_allocation() -> None:
    """Make resident memory follow what is held, on any machine.

    It grows by 4 KB at a touch, also where the system would give huge pages of 2 MB. Large blocks go back to the
    system; without this, `malloc` takes them from the heap once it has freed one of their size.
    """
    if _libc.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0):
        raise OSError("prctl(PR_SET_THP_DISABLE) failed")
    if not _libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES):
        raise OSError("mallopt(M_MMAP_THRESHOLD) failed")
