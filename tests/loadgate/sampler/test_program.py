"""Test the sampler program: its lines, and that it never survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from loadgate.sampler.configuration import Configuration, MetricSource, ProcessSource
from tests.loadgate.running.support import wait_until
from tests.loadgate.sampler.metrics_server import MetricsServer

pytestmark = pytest.mark.process

COMMAND = [sys.executable, "-m", "loadgate.sampler"]


class Sampler:
    """A running sampler."""

    def __init__(self, configuration: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lines: list[dict[str, Any]] = []
        self.send(configuration)

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def until(self, condition: Callable[[], object]) -> None:
        """Read lines until they meet a condition."""
        assert self.process.stdout is not None
        while not condition():
            line = self.process.stdout.readline()
            assert line, self.lines
            self.lines.append(json.loads(line))

    def end(self) -> None:
        """Close the input, and read the rest."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.lines += map(json.loads, self.process.stdout)
        assert self.process.wait(20) == 0

    def values(self, resource: str, quantity: str) -> list[float]:
        rows = (value for line in self.lines for value in line.get("values", ()))
        return [row[4] for row in rows if row[:2] == [resource, quantity]]

    @property
    def notes(self) -> list[str]:
        return [line["note"] for line in self.lines if "note" in line]


@contextmanager
def running(configuration: Configuration) -> Iterator[Sampler]:
    sampler = Sampler(configuration.to_json())
    with sampler.process:
        try:
            yield sampler
        finally:
            sampler.process.kill()


@pytest.fixture
def target() -> Iterator[int]:
    """The process id of a program that waits."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def pool(server: MetricsServer, **selectors: str) -> MetricSource:
    return MetricSource("db", "connections", f"{server.url}/metrics", "wait", **selectors)


def test_processes_and_metrics_are_measured_until_the_input_is_closed(target: int, server: MetricsServer) -> None:
    source = pool(server, used="pool", wait="wait_seconds")
    with running(Configuration(pid=target, processes=(ProcessSource("target"),), metrics=(source,))) as sampler:
        sampler.until(lambda: len(sampler.values("target", "cpu")) >= 2 and sampler.values("db", "wait.sum"))
        sampler.end()
    assert min(sampler.values("target", "memory")) > 1_000_000
    assert set(sampler.values("target", "threads")) == {1}
    assert set(sampler.values("db", "connections")) == {3}
    assert sampler.values("machine", "cpu")
    assert sampler.notes == []
    assert 0 < sampler.lines[-1]["cpu_share"] < 1


def test_a_row_belongs_to_a_whole_second(target: int) -> None:
    with running(Configuration(pid=target, processes=(ProcessSource("target"),))) as sampler:
        sampler.until(lambda: len(sampler.values("target", "memory")) >= 3)
        sampler.end()
    seconds = [line["second"] for line in sampler.lines if any(row[1] == "memory" for row in line.get("values", ()))]
    assert sorted(set(seconds)) == list(range(seconds[0], seconds[-1] + 1))


def test_a_target_that_does_not_answer_delays_no_process_reading(target: int, server: MetricsServer) -> None:
    server.gate.clear()
    configuration = Configuration(
        pid=target, processes=(ProcessSource("target"),), metrics=(pool(server, used="pool"),)
    )
    with running(configuration) as sampler:
        sampler.until(lambda: len(sampler.values("target", "memory")) >= 4)
        assert len(server.paths) == 1  # two scrapes are never in progress at once
        assert sampler.values("db", "connections") == []
        sampler.end()
    assert sampler.notes[-1] == f"the last scrape of {server.url}/metrics did not end within 2 s"


def test_metrics_that_take_long_to_read_are_read_less_often(target: int, server: MetricsServer) -> None:
    # Their text is read with more CPU time than one URL may use in a second.
    server.text = "\n".join(f'pool{{number="{number}"}} 1' for number in range(100_000))
    configuration = Configuration(
        pid=target, processes=(ProcessSource("target"),), metrics=(pool(server, used="pool"),)
    )
    with running(configuration) as sampler:
        sampler.until(lambda: sampler.values("db", "connections") == [100_000] and sampler.notes)
        sampler.end()
    assert sampler.notes == [
        f"{server.url}/metrics is not read every second, because that would take too much CPU time"
    ]


def test_a_failing_scrape_is_one_note_and_a_gap(target: int, server: MetricsServer) -> None:
    server.status = 401
    with running(Configuration(pid=target, metrics=(pool(server, used="pool"),))) as sampler:
        sampler.until(lambda: len(server.paths) >= 3)
        server.status = 200
        sampler.until(lambda: sampler.values("db", "connections"))
        sampler.end()
    assert sampler.notes == [f"{server.url}/metrics answered 401; set bearer"]


def test_a_metric_that_does_not_exist_is_noted_at_the_end(target: int, server: MetricsServer) -> None:
    with running(Configuration(pid=target, metrics=(pool(server, used="pol"),))) as sampler:
        sampler.until(lambda: len(server.paths) >= 1)
        sampler.end()
    assert sampler.notes == [f"{server.url}/metrics has no sample of pol, which 'connections' of 'db' needs"]


def test_garbage_is_collected_on_command(target: int, server: MetricsServer) -> None:
    configuration = Configuration(pid=target, processes=(ProcessSource("target"),), collect=f"{server.url}/gc?now=1")
    with running(configuration) as sampler:
        sampler.send("collect")
        sampler.until(lambda: {"done": "collect"} in sampler.lines)
        assert server.paths == ["/gc?now=1"]
        assert len(sampler.values("target", "memory.collected")) == 1
        server.status = 404
        sampler.send("collect")
        sampler.until(lambda: sampler.lines.count({"done": "collect"}) == 2)
        assert len(sampler.values("target", "memory.collected")) == 1
    assert "the memory after garbage collection was not measured" in sampler.notes[0]


def test_a_target_that_ends_is_a_gap(target: int) -> None:
    with running(Configuration(pid=target, processes=(ProcessSource("target"),))) as sampler:
        sampler.until(lambda: sampler.values("target", "memory"))
        os.kill(target, signal.SIGKILL)
        os.waitid(os.P_PID, target, os.WEXITED | os.WNOWAIT)
        sampler.end()
    assert sampler.lines[-1]["cpu_share"] > 0


def test_it_ends_if_its_reader_is_gone(target: int) -> None:
    with running(Configuration(pid=target, processes=(ProcessSource("target"),))) as sampler:
        sampler.until(lambda: sampler.values("target", "memory"))
        assert sampler.process.stdout is not None
        sampler.process.stdout.close()
        assert sampler.process.wait(20) == 0
        assert sampler.process.stderr is not None
        assert sampler.process.stderr.read() == b""


def test_ctrl_c_does_not_end_it(target: int) -> None:
    with running(Configuration(pid=target, processes=(ProcessSource("target"),))) as sampler:
        sampler.until(lambda: sampler.values("target", "memory"))
        sampler.process.send_signal(signal.SIGINT)
        sampler.end()
    assert "cpu_share" in sampler.lines[-1]


def test_it_ends_with_its_parent(target: int) -> None:
    """The parent is killed, and another process keeps the pipe to the sampler open."""
    configuration = Configuration(pid=target, processes=(ProcessSource("target"),)).to_json()
    reading, writing = os.pipe()
    text = "import os, subprocess, sys\n"
    text += f"child = subprocess.Popen([*{COMMAND}, str(os.getpid())], stdin={reading})\n"
    text += "print(child.pid, flush=True)\nchild.wait()"
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, pass_fds=[reading]) as parent:
        assert parent.stdout is not None
        sampler = psutil.Process(int(parent.stdout.readline()))
        os.write(writing, configuration.encode() + b"\n")
        assert json.loads(parent.stdout.readline())["second"] > 0
        parent.kill()
        wait_until(lambda: not sampler.is_running() or sampler.status() == psutil.STATUS_ZOMBIE, "the sampler's end")
        parent.stdout.close()
    os.close(writing)
    os.close(reading)


def test_without_a_configuration_it_ends() -> None:
    done = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_it_imports_neither_pydantic_nor_psutil_nor_locust() -> None:
    text = "import sys, loadgate.sampler.__main__, loadgate.sampler.metrics.worker\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    assert "loadgate.sampler.loop" in done.stdout.split()
    assert not {"pydantic", "psutil", "locust", "gevent", "prometheus_client", "asyncio"} & set(done.stdout.split())
