"""Which worker has a name: processes that are seen are looked up, others are known by their heartbeats."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from inference_core.core.queue.heartbeat import write_report
from inference_core.core.queue.incarnation import Incarnation
from inference_core.core.queue.worker_name import NameTakenError, require_free_name
from inference_core.core.queue.worker_state import SILENT_AFTER_MS, WORKERS_KEY, WorkerReport
from inference_core.core.redis.client import broker_client
from tests.support.processes import wait_until
from tests.support.settings import Settings

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc"),
]

OWN = Incarnation.of_this_process()


@pytest.fixture
def node() -> str:
    return f"celery@{secrets.token_hex(4)}"


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(_env_file=None, redis_url=redis_url, redis_prefix="worker-names", redis_timeout_s=20)


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    with broker_client(settings) as redis:
        yield redis


@contextmanager
def other_process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            yield process
        finally:
            process.kill()


def identity_of(pid: int) -> Incarnation:
    """The identity of another process in this namespace."""
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return replace(OWN, token=secrets.token_hex(16), pid=pid, started=started)


def report_of(incarnation: Incarnation | None, phase: str = "running") -> WorkerReport:
    parts: WorkerReport = {
        "phase": "stopping" if phase == "stopping" else "running",
        "queues": [],
        "registered": [],
        "active": [],
        "reserved": [],
        "scheduled": [],
        "stats": {"pid": 1},
    }
    return {**parts, "incarnation": incarnation.as_dict()} if incarnation else parts


def in_another_container() -> Incarnation:
    return replace(OWN, token=secrets.token_hex(16), pid_namespace="pid:[1]")


def test_a_process_is_known_by_its_start_and_not_by_its_number_alone() -> None:
    with other_process() as process:
        other = identity_of(process.pid)
        assert other.is_running(OWN) is True
        assert replace(other, started=other.started - 1).is_running(OWN) is False, "another process has its number now"
        assert replace(other, pid_namespace="pid:[1]").is_running(OWN) is None
        assert replace(other, machine="another boot").is_running(OWN) is None
        assert replace(other, machine="").is_running(OWN) is None
        process.kill()
        wait_until(lambda: other.is_running(OWN) is False, what="a process that nobody has waited for is dead")
    assert other.is_running(OWN) is False
    assert replace(OWN, token="another").is_running(OWN) is False, "a command can become the worker that it starts"
    assert (OWN.pid, len(OWN.token)) == (os.getpid(), 32)


def test_what_another_version_wrote_is_no_identity() -> None:
    assert Incarnation.parse(OWN.as_dict()) == OWN
    assert Incarnation.parse({}) is None
    assert Incarnation.parse(None) is None
    assert Incarnation.parse({"token": "x", "colour": "blue"}) is None


def test_a_dead_worker_of_this_machine_keeps_no_name(settings: Settings, redis: Redis, node: str) -> None:
    with other_process() as process:
        other = identity_of(process.pid)
        write_report(redis, node, report_of(other))
        with pytest.raises(NameTakenError, match=rf"^a worker {node} is already running \(process 1\); choose another"):
            require_free_name(settings, node, OWN)
        process.kill()
    write_report(redis, node, report_of(other))
    started_s = time.monotonic()
    require_free_name(settings, node, OWN)
    assert time.monotonic() - started_s < SILENT_AFTER_MS / 1000, "nothing was waited for"


def test_a_silent_worker_of_this_machine_that_lives_keeps_its_name(settings: Settings, redis: Redis, node: str) -> None:
    with other_process() as process:
        write_report(redis, node, report_of(identity_of(process.pid)))
        silent_for(redis, node, 60_000)
        with pytest.raises(NameTakenError):
            require_free_name(settings, node, OWN)


@pytest.mark.parametrize("incarnation", [in_another_container(), None], ids=["another container", "an older version"])
def test_a_worker_that_is_not_seen_is_known_by_its_next_heartbeat(
    settings: Settings, redis: Redis, node: str, incarnation: Incarnation | None
) -> None:
    stopped = threading.Event()

    def beat() -> None:
        while not stopped.wait(0.3):
            write_report(redis, node, report_of(incarnation))

    write_report(redis, node, report_of(incarnation))
    worker = threading.Thread(target=beat)
    worker.start()
    try:
        with pytest.raises(NameTakenError, match="process 1 in another container or on another machine"):
            require_free_name(settings, node, OWN)
    finally:
        stopped.set()
        worker.join()
    silent_for(redis, node, SILENT_AFTER_MS - 300)
    require_free_name(settings, node, OWN)
    assert silence_of(redis, node) > SILENT_AFTER_MS, "the name was free before the worker was silent for long enough"


def test_a_worker_that_stops_leaves_its_name(settings: Settings, redis: Redis, node: str) -> None:
    write_report(redis, node, report_of(in_another_container(), "stopping"))
    require_free_name(settings, node, OWN)
    write_report(redis, node, report_of(OWN))
    assert OWN.token.encode() in redis.hget(WORKERS_KEY, node)


def test_nothing_is_known_without_the_broker(node: str) -> None:
    require_free_name(Settings(_env_file=None, redis_url="redis://127.0.0.1:1/0"), node, OWN)


def test_of_two_workers_with_one_name_only_one_writes_heartbeats(redis: Redis, node: str) -> None:
    first, second = report_of(in_another_container()), report_of(OWN)
    assert len(write_report(redis, node, first)) == 2
    with pytest.raises(NameTakenError, match=f"another worker {node} is running, so this one stops"):
        write_report(redis, node, second)
    write_report(redis, node, first)
    silent_for(redis, node, SILENT_AFTER_MS + 1000)
    write_report(redis, node, second)
    with pytest.raises(NameTakenError):
        write_report(redis, node, first)


def silent_for(redis: Redis, node: str, silence_ms: int) -> None:
    """Make the last heartbeat older."""
    stamp, _, report = redis.hget(WORKERS_KEY, node).partition(b" ")
    redis.hset(WORKERS_KEY, node, b"%d %s" % (int(stamp) - silence_ms, report))


def silence_of(redis: Redis, node: str) -> float:
    seconds, microseconds = redis.time()
    return seconds * 1000 + microseconds / 1000 - int(redis.hget(WORKERS_KEY, node).partition(b" ")[0])
