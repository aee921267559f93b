"""Test that the leaking stub's process really grows by what it says, and that its metrics show the kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.calibrate.stubs.memory import MB
from benchmarks.calibrate.stubs.started import Started, stub
from tests.support.processes import wait_until

pytestmark = pytest.mark.process

FAST = 600
"""10 MB of memory, 10 files, one thread and one connection in a tenth of a second."""
NOISE_BYTES = MB


def rss_anon_bytes(pid: int) -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def entries(pid: int, folder: str) -> int:
    return len(list(Path(f"/proc/{pid}/{folder}").iterdir()))


def metrics(stub: Started) -> dict[str, float]:
    families = text_string_to_metric_families(stub.get("/metrics"))
    return {sample.name: sample.value for family in families for sample in family.samples}


def bracketed(stub: Started, quantity: str, read: Callable[[], float]) -> tuple[float, float, float]:
    """What the stub held before and after a reading of something that only grows, and the reading between."""
    before = stub.truth()[quantity]
    value = read()
    return before, value, stub.truth()[quantity]


@pytest.mark.parametrize(("mode", "quantity"), [("python-leak", "python_bytes"), ("native-leak", "native_bytes")])
def test_a_memory_leak_shows_in_resident_memory_and_where_it_is(mode: str, quantity: str) -> None:
    with stub("leaky", mode, "--speed", FAST) as leaky:
        first_held, rss_at_first, first_held_after = bracketed(leaky, quantity, lambda: rss_anon_bytes(leaky.pid))
        at_first = metrics(leaky)
        wait_until(lambda: leaky.truth()[quantity] > first_held_after + 20 * MB, within_s=60)
        held, rss, held_after = bracketed(leaky, quantity, lambda: rss_anon_bytes(leaky.pid))
        now = metrics(leaky)
    assert 0.95 * (held - first_held_after) - NOISE_BYTES <= rss - rss_at_first
    assert rss - rss_at_first <= 1.1 * (held_after - first_held) + NOISE_BYTES
    blocks = now["python_allocated_blocks"] - at_first["python_allocated_blocks"]
    heap = now["heap_in_use_bytes"] - at_first["heap_in_use_bytes"]
    if mode == "python-leak":
        assert blocks > 2 * (held - first_held_after) / 1024
        assert heap < 3 * MB
    else:
        assert blocks < 5000
        assert heap > 15 * MB


def test_a_file_leak_opens_files() -> None:
    with stub("leaky", "file-leak", "--speed", FAST) as leaky:
        wait_until(lambda: leaky.truth()["open_files"] > 50)
        before, found, after = bracketed(leaky, "open_files", lambda: entries(leaky.pid, "fd"))
    assert before <= found <= after + 20


def test_a_thread_leak_starts_threads() -> None:
    with stub("leaky", "thread-leak", "--speed", FAST) as leaky:
        wait_until(lambda: leaky.truth()["threads"] > 20)
        before, found, after = bracketed(leaky, "threads", lambda: entries(leaky.pid, "task"))
    assert before < found <= after + 1


def test_a_connection_leak_opens_connections_and_counts_them() -> None:
    with stub("leaky", "connection-leak", "--speed", FAST) as leaky:
        wait_until(lambda: leaky.truth()["connections"] > 20)
        before, shown, after = bracketed(leaky, "connections", lambda: metrics(leaky)["connections_open"])
        sockets = [str(link.readlink()) for link in Path(f"/proc/{leaky.pid}/fd").iterdir() if link.is_symlink()]
    assert before <= shown - 5 <= after
    assert sum(name.startswith("socket:") for name in sockets) > before


def test_arena_keeps_resident_memory_that_is_not_in_use() -> None:
    with stub("leaky", "arena", "--speed", FAST) as leaky:
        wait_until(lambda: metrics(leaky)["heap_held_bytes"] > 30 * MB, within_s=60)
        wait_until(lambda: metrics(leaky)["heap_in_use_bytes"] < 8 * MB, within_s=60)
        assert metrics(leaky)["heap_held_bytes"] > 25 * MB
        assert rss_anon_bytes(leaky.pid) > 25 * MB


def test_a_sawtooth_gives_its_memory_back() -> None:
    with stub("leaky", "sawtooth", "--speed", 60) as leaky:
        wait_until(lambda: rss_anon_bytes(leaky.pid) > 40 * MB, within_s=60)
        wait_until(lambda: rss_anon_bytes(leaky.pid) < 25 * MB, within_s=60)


def test_requests_are_counted_with_their_waits() -> None:
    with stub("leaky", "none") as leaky:
        for _ in range(10):
            assert leaky.get("/") == "ok\n"
        now = metrics(leaky)
    assert now["wait_seconds_count"] == 10
    assert now["wait_seconds_sum"] >= 10 * 0.0009
    assert (now["connections_open"], now["connections_limit"]) == (5, 200)
