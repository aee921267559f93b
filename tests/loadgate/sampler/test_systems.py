"""Test what is read of real processes, on Linux from /proc and elsewhere with psutil."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from loadgate.sampler.processes.linux import MAX_COMMAND_BYTES, LinuxSystem
from loadgate.sampler.processes.portable import PortableSystem
from loadgate.sampler.processes.system import System

pytestmark = pytest.mark.process

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
MB = 1_000_000


@contextmanager
def program(text: str) -> Iterator[tuple[int, str]]:
    """Run a program that prints one line and then waits. Return its process id and the line."""
    text += "\nprint(shown, flush=True)\nimport sys\nsys.stdin.read()"
    command = [sys.executable, "-c", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture(params=[pytest.param(LinuxSystem, marks=LINUX), PortableSystem])
def system(request: pytest.FixtureRequest) -> System:
    made: System = request.param()
    return made


def test_a_process_is_read(system: System) -> None:
    with program("import threading, time\nthreading.Thread(target=input, daemon=True).start()\nshown = 1") as (pid, _):
        process = system.process(pid)
        assert process is not None
        assert (process.pid, process.parent, process.threads) == (pid, os.getpid(), 2)
        assert process.user == os.getuid()
        assert 0 <= process.age_s < 100
        assert process.is_same(system.process(pid))
        assert "threading.Thread" in system.command_line(pid)
        assert pid in set(system.pids())
        assert system.open_files(pid) == psutil.Process(pid).num_fds()


def test_the_cpu_time_is_that_of_the_process(system: System) -> None:
    text = "import time\nwhile time.process_time() < 0.3: pass\nshown = time.process_time()"
    with program(text) as (pid, used):
        process = system.process(pid)
        assert process is not None
        assert process.cpu_s == pytest.approx(float(used), abs=0.1)


def test_the_memory_grows_by_what_is_allocated(system: System) -> None:
    with program("shown = 0") as (small, _), program("held = b'x' * 50_000_000\nshown = len(held)") as (large, _):
        before, after = system.memory_bytes(small), system.memory_bytes(large)
        assert before is not None
        assert after is not None
        assert 45 * MB < after - before < 60 * MB


def test_the_process_that_listens_is_found_and_found_again(system: System) -> None:
    text = "import socket\nlistener = socket.create_server(('127.0.0.1', 0))\nshown = listener.getsockname()[1]"
    with program(text) as (pid, port):
        for _ in range(2):
            assert system.listening(int(port)).pids == {pid}
    assert system.listening(int(port)).pids == frozenset()


@LINUX
def test_each_of_many_listeners_is_found() -> None:
    """The list of the kernel is longer than a page."""
    text = "import socket\nheld = [socket.create_server(('127.0.0.1', 0)) for _ in range(60)]\n"
    text += "shown = ' '.join(str(one.getsockname()[1]) for one in held)"
    with program(text) as (pid, ports):
        assert len(ports.split()) == 60
        assert {port for port in ports.split() if LinuxSystem().listening(int(port)).pids != {pid}} == set()


def test_a_process_that_has_ended_has_no_values(system: System) -> None:
    with program("shown = 0") as (pid, _):
        pass
    assert system.process(pid) is None
    assert system.command_line(pid) == ""
    assert system.memory_bytes(pid) is None
    assert system.open_files(pid) is None
    assert system.pss_bytes(pid) is None
    assert system.cgroup(pid) is None


def test_the_machine_has_used_cpu_time(system: System) -> None:
    before = system.machine_cpu_s()
    assert before > 0
    assert system.machine_cpu_s() >= before


def test_memory_that_includes_files_is_noted() -> None:
    assert "this system does not tell them apart" in PortableSystem.memory_note


@LINUX
def test_the_pss_is_read() -> None:
    with program("held = b'x' * 50_000_000\nshown = len(held)") as (pid, _):
        pss = LinuxSystem().pss_bytes(pid)
        assert pss is not None
        assert pss > 50 * MB


@LINUX
def test_the_time_of_children_that_have_ended_is_read() -> None:
    text = "import os\npid = os.fork()\nif not pid:\n    import time\n    while time.process_time() < 0.3: pass\n"
    text += "    os._exit(0)\nos.waitpid(pid, 0)\nshown = 1"
    with program(text) as (pid, _):
        process = LinuxSystem().process(pid)
        assert process is not None
        assert process.children_cpu_s >= 0.25


@LINUX
def test_a_kernel_without_anonymous_memory_is_noted(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "status").write_text("Name:\tx\nVmRSS:\t 12 kB\nThreads:\t1\n")
    system = LinuxSystem(str(tmp_path))
    assert system.memory_bytes(5) == 12 * 1024
    assert "this kernel has no RssAnon" in system.memory_note


@LINUX
def test_the_name_of_a_program_can_contain_parentheses(tmp_path: Path) -> None:
    folder = tmp_path / "5"
    folder.mkdir()
    fields = " ".join(map(str, range(3, 53)))
    (folder / "stat").write_text(f"5 (a) b (c) {fields}")
    process = LinuxSystem(str(tmp_path)).process(5)
    assert process is not None
    assert (process.parent, process.session, process.threads) == (4, 6, 20)


@LINUX
def test_the_files_of_a_process_that_has_ended_are_not_those_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(path: str) -> os.stat_result:
        raise PermissionError(path)

    for pid, state in ((5, "Z"), (6, "S")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) {state} 1")
    monkeypatch.setattr("loadgate.sampler.processes.linux.os.stat", forbid)
    system = LinuxSystem(str(tmp_path))
    assert system.open_files(5) is None
    assert system.open_files(7) is None
    with pytest.raises(PermissionError):
        system.open_files(6)


@LINUX
def test_only_the_beginning_of_a_long_command_line_is_read(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "cmdline").write_bytes(b"java\0" + b"x\0" * MAX_COMMAND_BYTES)
    line = LinuxSystem(str(tmp_path)).command_line(5)
    assert line.startswith("java x x")
    assert MAX_COMMAND_BYTES - 1 <= len(line) <= MAX_COMMAND_BYTES


@LINUX
def test_a_listener_that_cannot_be_examined_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    row = "0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 4711 1"
    (tmp_path / "net" / "tcp").write_text(f"header\n{row}\n")
    system = LinuxSystem(str(tmp_path))
    assert system.listening(8000).is_hidden
    assert not system.listening(8001).is_hidden
