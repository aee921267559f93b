"""Test that a signal to a calibration ends everything that it has started, and that its files are deleted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.loadgate.running.support import FULL

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
START = r"""
import os, subprocess, sys, tempfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from benchmarks.calibrate.program import run

CHILD = "import os, sys; os.write(1, b'up\\n'); sys.stdin.read()"

def child(_=0, code=CHILD):
    with tempfile.TemporaryDirectory():
        subprocess.run([sys.executable, "-c", code], stdin=sys.stdin)

def sleep(_):
    os.write(1, b"up\n")
    sys.stdin.read()
"""
PROGRAMS = {
    "a child": "run(child, 20)",
    "threads with more work": """
def main():
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(child, range(100)))
run(main, 20)
""",
    "processes": """
def main():
    with tempfile.TemporaryDirectory(), ProcessPoolExecutor(2) as pool:
        list(pool.map(sleep, range(100)))
run(main, 20)
""",
    "a child that ignores SIGTERM": """
deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + CHILD
run(partial(child, code=deaf), 0.5)
""",
}


@contextmanager
def started(command: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a program whose temporary files are in `folder`, and kill what is left of it."""
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            for one in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
                one.kill()
            process.kill()


def wait_until(condition: Callable[[], object], within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_signal_ends_all_children(program: str, number: signal.Signals, tmp_path: Path) -> None:
    with started([sys.executable, "-c", START + program], tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        wait_until(lambda: psutil.Process(process.pid).children())
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(120) == 128 + number
        assert psutil.wait_procs(family, timeout=60)[1] == []
        # A process that was started later holds the pipe as well.
        assert set(process.stdout.read().split()) <= {"up"}
    assert list(tmp_path.iterdir()) == []


@FULL
@pytest.mark.timeout(300)
def test_a_stopped_proof_leaves_no_server_and_no_comparison(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.calibrate.ab", "--runs", "4", "--parallel", "2", "--seed-from", "4"]
    with started([*command, "--only", "a busy process"], tmp_path) as process:
        proof = psutil.Process(process.pid)

        def is_under_load() -> bool:
            commands = [" ".join(one.cmdline()) for one in proof.children(recursive=True)]
            return sum("generator.launch" in one for one in commands) == 2

        wait_until(is_under_load)
        family = proof.children(recursive=True)
        assert sum("stubs.version" in " ".join(one.cmdline()) for one in family) == 4
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 128 + signal.SIGTERM
        assert psutil.wait_procs(family, timeout=60)[1] == []
    assert list(tmp_path.iterdir()) == []
